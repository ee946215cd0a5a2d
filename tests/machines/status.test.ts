import { describe, expect, test } from 'vitest';
import { initialTransition } from 'xstate';

import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { readMarker } from '../../src/machines/instance/marker.ts';
import { describeStatus, type InstanceState } from '../../src/machines/instance/status.ts';
import type { InstanceContext } from '../../src/machines/instance/types.ts';
import { sampleInput } from '../support/instance-model.ts';

const [initial] = initialTransition(instanceMachine, sampleInput());

function stateOf(
  [provisioning, host, agent]: readonly [unknown, unknown, unknown],
  context: Partial<InstanceContext> = {},
): InstanceState {
  return {
    value: { ...initial.value, provisioning, host, agent },
    context: { ...initial.context, ...context },
    since: { provisioning: 1_000, host: 2_000, agent: 3_000 },
  };
}

describe('the one word for a server', () => {
  test.each([
    ['installing', [{ cloning: 'performing' }, 'absent', 'offline']],
    ['installing', [{ readying: 'performing' }, 'running', 'alive']],
    ['running', ['ready', 'running', 'ready']],
    ['starting', ['ready', 'running', 'alive']],
    ['crashed', ['ready', 'running', 'crashed']],
    ['offline', ['ready', 'running', 'unreachable']],
    ['unknown', ['ready', 'running', 'unknown']],
    ['stopped', ['ready', 'stopped', 'offline']],
    ['unknown', ['ready', { unknown: 'waiting' }, 'offline']],
    ['host offline', ['ready', 'absent', 'offline']],
    ['error', ['failed', 'running', 'ready']],
    ['deleting', [{ deleting: { destroying: 'performing' } }, 'stopped', 'offline']],
  ] as const)('is %s in %j', (word, value) => {
    expect(describeStatus(stateOf(value)).status).toBe(word);
  });
});

test.each(['stopped', 'stopping', 'idle', 'error', 'installing'])(
  'a game that its agent calls %s is called so, not starting for ever',
  (state) => {
    const agent = { ...initial.context.agent, state };
    const described = describeStatus(stateOf(['ready', 'running', 'alive'], { agent }));

    expect(described.status).toBe(state);
    expect(described.conditions[2]).toMatchObject({ status: 'False', reason: `game_${state}` });
  },
);

test('the install step is the step of ours, or the word of the agent while it installs', () => {
  const agent = { ...initial.context.agent, installStep: 'unpack' };

  const stepIn = (value: readonly [unknown, unknown, unknown], context = {}) =>
    describeStatus(stateOf(value, context)).installStep;

  expect(stepIn([{ cloning: 'pausing' }, 'absent', 'offline'])).toBe('cloning');
  expect(stepIn([{ readying: 'performing' }, 'running', 'alive'], { agent })).toBe('unpack');
  expect(stepIn(['ready', 'running', 'ready'], { agent })).toBeNull();
});

describe('conditions', () => {
  test('say since when, and why not', () => {
    const failure = { step: 'clone', code: 'task_failed', message: 'no space left' };
    const { conditions } = describeStatus(stateOf(['failed', 'absent', 'offline'], { failure }));

    expect(conditions[0]).toEqual({
      type: 'Provisioned',
      status: 'False',
      reason: 'task_failed',
      message: 'clone: no space left',
      lastTransitionTime: new Date(1_000).toISOString(),
    });
  });

  test('of a container that runs again do not name the failure of long ago', () => {
    const hostFailure = { step: 'start', code: 'task_failed', message: 'no memory' };
    const hostOf = (host: unknown) =>
      describeStatus(stateOf(['ready', host, 'unknown'], { hostFailure })).conditions[1];

    expect(hostOf({ unknown: 'waiting' })).toMatchObject({
      status: 'Unknown',
      reason: 'task_failed',
    });
    expect(hostOf('running')).toMatchObject({ status: 'True', reason: 'running' });
  });

  test('take an agent that merely lives for not ready', () => {
    const agentOf = (agent: string) => describeStatus(stateOf(['ready', 'running', agent]));

    expect(agentOf('alive')).toMatchObject({ agentReady: false, agentStatus: 'online' });
    expect(agentOf('unreachable').conditions[2]?.status).toBe('Unknown');
    expect(agentOf('ready')).toMatchObject({ agentReady: true });
  });
});

test.each([
  ['zpack:5001-ab12', '5001-ab12'],
  ['zpack:5001-ab12\n', '5001-ab12'],
  ['note of an operator\nzpack:5001-ab12\n', '5001-ab12'],
  ['not zpack:5001', null],
  [null, null],
])('the marker in %j is %j', (description, marker) => {
  expect(readMarker(description)).toBe(marker);
});
