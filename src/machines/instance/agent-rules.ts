import type { InstanceContext, InstanceEvent } from './types.ts';

interface Scope {
  readonly context: InstanceContext;
  readonly event: InstanceEvent;
}

/** Guards that look at what an agent says and at nothing else. */
export const AGENT_RULES = {
  isAgentSeen: ({ event }: Scope, params: { condition: string }) =>
    event.type === 'agent.observed' && event.condition === params.condition,
  isOldNews: ({ context, event }: Scope, params: { condition: string }) =>
    event.type === 'agent.observed' &&
    event.condition === params.condition &&
    event.readySource === context.agent.readySource &&
    event.installStep === context.agent.installStep &&
    event.state === context.agent.state &&
    (event.crashCount ?? context.agent.reportedCrashes) === context.agent.reportedCrashes,
  /** Died again between two looks: only the agent's own count tells. */
  isAnotherCrash: ({ context, event }: Scope) =>
    event.type === 'agent.observed' &&
    event.condition === 'crashed' &&
    event.crashCount !== null &&
    event.crashCount !== context.agent.reportedCrashes,
};
