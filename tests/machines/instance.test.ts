import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition } from 'xstate';

import { definitions } from '../../src/machines/index.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { STEP_ATTEMPTS_MAX } from '../../src/machines/instance/setup.ts';
import {
  begin,
  install,
  observed,
  removal,
  type Snapshot,
  sighted,
  step,
} from '../support/instance-life.ts';
import { sampleInput, worldEvents } from '../support/instance-model.ts';
import { restore } from '../support/model.ts';
import { INVARIANTS } from './invariants.ts';

describe('provisioning', () => {
  test('asks for one thing after the other and is ready when the agent is', () => {
    const life = install();
    life.send(observed('ready'));

    expect(life.state.value).toEqual({
      provisioning: 'ready',
      agent: 'ready',
      host: 'running',
      recovery: 'idle',
      edge: 'unpublished',
      proxy: 'none',
      entitlement: 'granted',
      maintenance: 'idle',
    });
    expect(life.state.context).toMatchObject({
      node: 'pve1',
      ip: '10.0.0.5',
      operation: { kind: 'create', state: 'succeeded', finishedAt: 7 },
      ops: { host: null, agent: null },
    });
    expect(life.effects).toEqual([
      'container.configure',
      'container.start',
      'container.address',
      'agent.configure',
      'agent.await',
    ]);
  });

  test('takes an agent that merely lives for not ready', () => {
    const life = install();
    life.send(observed('alive'));

    expect(life.state.matches({ provisioning: 'readying' })).toBe(true);
  });

  test('repeats what may be repeated up to the limit, and then says why it failed', () => {
    const life = begin();
    for (let attempt = 1; attempt < STEP_ATTEMPTS_MAX; attempt += 1) {
      life.fail('host', true);
      life.pass('provisioningPause');
    }
    expect(life.state.matches({ provisioning: 'cloning' })).toBe(true);
    life.fail('host', true);

    expect(life.state.value.provisioning).toBe('failed');
    expect(life.state.context.failure).toEqual({
      step: 'clone',
      code: 'no_space',
      message: 'no space left',
    });
    expect(life.effects).toHaveLength(STEP_ATTEMPTS_MAX - 1);
  });

  test('that takes too long fails with the step, and a late answer changes nothing', () => {
    const life = install();
    const late = life.state.context.ops.agent?.id;
    life.pass('readyDeadline');
    const failed = life.state;
    life.send({ type: 'effect.failed', opId: late, code: 'x', message: 'x', retryable: false });

    expect(failed.context.failure).toMatchObject({ step: 'ready', code: 'deadline_exceeded' });
    expect(life.state).toBe(failed);
  });

  test('whose container dies meanwhile fails at once', () => {
    const life = install();
    life.send(sighted('stopped'));

    expect(life.state.context.failure).toMatchObject({ step: 'ready', code: 'container_stopped' });
  });

  test('that failed late is retried from power on, without cloning again', () => {
    const life = install();
    life.fail('agent', false);
    life.send({ type: 'retry.requested', operationId: 'op-2', requestedBy: 'c-1' });

    expect(life.state.context.operation).toMatchObject({ id: 'op-2', kind: 'retry' });
    expect(life.effects.at(-1)).toBe('container.address');
  });
});

describe('deletion', () => {
  test('lets a clone in flight end before it destroys, so that no orphan can appear', () => {
    const life = begin();
    life.send({ ...removal, force: false });
    const whileCloning = [...life.effects];
    life.answer('container.cloned', { node: 'pve1' });
    life.answer('container.destroyed');

    expect(whileCloning).toEqual([]);
    expect(life.effects).toEqual(['container.destroy']);
    expect(life.state.value).toMatchObject({ provisioning: 'deleted', host: 'absent' });
    expect(life.state.hasTag('archived')).toBe(true);
  });

  test('stops a running container first', () => {
    const life = install();
    life.send({ ...removal, force: false });
    life.answer('container.stopped');
    life.answer('container.destroyed');

    expect(life.effects.slice(-2)).toEqual(['container.shutdown', 'container.destroy']);
    expect(life.state.context.debts).toEqual([]);
  });

  test('owes what cannot be removed, and is over all the same', () => {
    const life = begin();
    life.send({ ...removal, force: false });
    life.fail('host', false);
    life.fail('host', false);

    expect(life.state.value.provisioning).toBe('deleted');
    expect(life.state.context.debts).toEqual([
      { kind: 'container', code: 'no_space', message: 'no space left', subject: null },
    ]);
  });

  test('of a server in service is refused without force, with what is allowed', () => {
    const life = install();
    life.send(observed('ready'));
    const before = life.state;
    life.send({ ...removal, force: false });

    expect(life.state).toBe(before);
    expect(definitions.instance.allowedActions(before)).toEqual([
      'stop',
      'restart',
      'force_delete',
      ...['backup', 'restore', 'verify_backup', 'delete_backup'],
    ]);
    expect(definitions.instance.explain(before, removal).code).toBe('container_running');
  });
});

describe('observations', () => {
  test('that say nothing new change nothing', () => {
    const life = install();
    life.send(observed('ready'));
    const before = life.state;
    life.send(observed('ready'));
    life.send(sighted('running'));

    expect(life.state).toBe(before);
  });

  test('of somebody who stopped the container by hand show what is true', () => {
    const life = install();
    life.send(observed('ready'));
    life.send(sighted('stopped'));

    expect(life.state.value).toMatchObject({ agent: 'offline', host: 'stopped' });
    expect(life.state.context.sighting.drift?.code).toBe('stopped_outside');
  });
});

test('whatever happens in whatever order, the invariants hold through storage and back', () => {
  const walk = fc.array(fc.nat(), { maxLength: 60 });

  fc.assert(
    fc.property(walk, (choices) => {
      let snapshot: Snapshot = initialTransition(instanceMachine, sampleInput())[0];
      for (const choice of choices) {
        const events = worldEvents(snapshot);
        const event = events[choice % events.length];
        if (!event || snapshot.hasTag('archived')) break;
        snapshot = restore(instanceMachine, step(snapshot, event)[0]);
      }
      return Object.values(INVARIANTS).every((holds) => holds(snapshot));
    }),
    { numRuns: 500 },
  );
});

test('every delay that a state names exists', () => {
  const walk = (node: typeof instanceMachine.root): string[] => [
    ...[...node.transitions.keys()],
    ...Object.values(node.states).flatMap((child) => walk(child as never)),
  ];
  const named = walk(instanceMachine.root)
    .map((type) => /^xstate\.after\.(\w+)\./.exec(type)?.[1])
    .filter((name) => name !== undefined);

  expect(named.length).toBeGreaterThan(10);
  for (const name of named) expect(instanceMachine.implementations.delays).toHaveProperty(name);
});
