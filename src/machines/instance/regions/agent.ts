import { and, not } from 'xstate';

import { instanceSetup } from '../setup.ts';
import type { AgentCondition } from '../types.ts';

const remember = instanceSetup.assign({
  agent: ({ context, event }) =>
    event.type === 'agent.observed'
      ? {
          ...context.agent,
          readySource: event.readySource,
          installStep: event.installStep,
          lastSeenAt: event.condition === 'unreachable' ? context.agent.lastSeenAt : event.at,
        }
      : context.agent,
});

const countCrash = instanceSetup.assign({
  agent: ({ context, event }) => ({
    ...context.agent,
    crashCount: context.agent.crashCount + 1,
    lastCrashAt: event.at,
  }),
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
    { guard: seen('unreachable'), target: '#instance.agent.unreachable', actions: remember },
    { guard: seen('alive'), target: '#instance.agent.alive', actions: remember },
    { guard: seen('ready'), target: '#instance.agent.ready', actions: remember },
    current === 'crashed'
      ? { guard: seen('crashed'), actions: remember }
      : {
          guard: seen('crashed'),
          target: '#instance.agent.crashed',
          actions: [remember, countCrash],
        },
  ] as const;
}
