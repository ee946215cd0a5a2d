import { and, not } from 'xstate';

import { instanceSetup } from '../setup.ts';
import type { AgentCondition, InstanceContext, InstanceEvent } from '../types.ts';

type Observed = Extract<InstanceEvent, { type: 'agent.observed' }>;

/**
 * Crashes since we last heard. The agent's own count also knows those between two looks; it
 * begins anew when the agent does. `isNew`: the condition alone tells of one.
 */
function newCrashes(
  { reportedCrashes }: InstanceContext['agent'],
  event: Observed,
  isNew: boolean,
) {
  const { crashCount } = event;
  if (crashCount === null || reportedCrashes === null) return isNew ? 1 : 0;
  return crashCount < reportedCrashes ? crashCount : crashCount - reportedCrashes;
}

const remember = (isNewCrash: boolean) =>
  instanceSetup.assign({
    agent: ({ context: { agent }, event }) => {
      if (event.type !== 'agent.observed') return agent;
      const crashes = newCrashes(agent, event, isNewCrash);
      return {
        readySource: event.readySource,
        installStep: event.installStep,
        state: event.state,
        crashCount: agent.crashCount + crashes,
        reportedCrashes: event.crashCount ?? agent.reportedCrashes,
        lastCrashAt: crashes > 0 ? event.at : agent.lastCrashAt,
        lastSeenAt: event.condition === 'unreachable' ? agent.lastSeenAt : event.at,
      };
    },
  });

const seen = (condition: AgentCondition) =>
  ({ type: 'isAgentSeen', params: { condition } }) as const;
const old = (condition: AgentCondition) => ({ type: 'isOldNews', params: { condition } }) as const;

/**
 * Agent: what the daemon inside the container says of itself. Observations that say nothing new
 * meet an action-free branch first, so that they cost no write. A container that is off has no
 * agent, whatever a late answer claims.
 */
export const agent = instanceSetup.createStateConfig({
  initial: 'offline',
  always: { guard: and([not('isHostRunning'), not('isAgentOffline')]), target: '.offline' },
  states: {
    offline: {
      description: 'The container is off, so there is no agent',
      always: { guard: 'isHostRunning', target: 'unknown' },
    },
    unknown: {
      description: 'The container is on, and its agent was not heard yet',
      on: { 'agent.observed': observations(null) },
    },
    unreachable: {
      description: 'The agent does not answer',
      on: { 'agent.observed': observations('unreachable') },
    },
    alive: {
      description: 'The agent answers, and is not ready',
      on: { 'agent.observed': observations('alive') },
    },
    ready: {
      description: 'The agent says that it can be used',
      on: { 'agent.observed': observations('ready') },
    },
    crashed: {
      description: 'The game inside has died',
      on: { 'agent.observed': observations('crashed') },
    },
  },
});

function observations(current: AgentCondition | null) {
  const known = current === null ? [] : [{ guard: old(current), actions: [] }];
  return [
    ...known,
    ...(['unreachable', 'alive', 'ready'] as const).map((condition) => ({
      guard: seen(condition),
      target: `#instance.agent.${condition}` as const,
      actions: remember(false),
    })),
    current === 'crashed'
      ? { guard: seen('crashed'), actions: remember(false) }
      : { guard: seen('crashed'), target: '#instance.agent.crashed', actions: remember(true) },
  ];
}
