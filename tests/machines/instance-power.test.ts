import { describe, expect, test } from 'vitest';

import { definitions } from '../../src/machines/index.ts';
import { STEP_ATTEMPTS_MAX } from '../../src/machines/instance/setup.ts';
import { observed, power, removal, serve, sighted } from '../support/instance-life.ts';

describe('power', () => {
  test('is one operation from the wish to its end, with the task that did it', () => {
    const life = serve();
    life.send(power('stop'));
    const begun = life.state.context.hostOperation;
    life.answer('task.started', { upid: 'UPID:1' });
    life.answer('container.stopped');

    expect(begun).toMatchObject({ id: 'op-2', kind: 'stop', state: 'running', step: 'shutdown' });
    expect(life.state.context.hostOperation).toEqual({
      ...begun,
      state: 'succeeded',
      startedAt: 7,
      finishedAt: 7,
      upid: 'UPID:1',
    });
    expect(life.effects).toEqual(['container.shutdown']);
  });

  test('that is being changed cannot be changed by anybody else meanwhile', () => {
    const life = serve();
    life.send(power('restart'));
    const before = life.state;
    for (const verb of ['start', 'stop', 'restart'] as const) life.send(power(verb, 'op-3'));

    expect(life.state).toBe(before);
    expect(definitions.instance.explain(before, power('stop')).code).toBe(
      'host_operation_in_progress',
    );
  });

  test('a container that does not end itself is stopped hard, as a step of the same operation', () => {
    const life = serve();
    life.send(power('stop'));
    life.fail('host', false);
    const { hostOperation } = life.state.context;
    life.answer('container.stopped');

    expect(hostOperation).toMatchObject({ id: 'op-2', state: 'running', step: 'stop' });
    expect(life.state.context.hostOperation).toMatchObject({ id: 'op-2', state: 'succeeded' });
    expect(life.effects).toEqual(['container.shutdown', 'container.stop']);
  });

  test('a restart whose reboot fails goes on by force, and starts', () => {
    const life = serve();
    life.send(power('restart'));
    life.fail('host', false);
    life.answer('container.stopped');
    life.answer('container.started');

    expect(life.effects).toEqual(['container.restart', 'container.stop', 'container.start']);
    expect(life.state.matches({ host: 'running' })).toBe(true);
    expect(life.state.context.hostOperation).toMatchObject({ id: 'op-2', state: 'succeeded' });
  });

  test('a lock is waited for, longer than a step of provisioning would be repeated', () => {
    const life = serve();
    life.send(power('stop'));
    for (let attempt = 0; attempt < 3 * STEP_ATTEMPTS_MAX; attempt += 1) {
      life.fail('host', true);
      life.pass('hostPause');
    }
    life.answer('container.stopped');

    expect(life.state.context.hostOperation).toMatchObject({ state: 'succeeded' });
  });

  test('the plug is not pulled while nobody has asked for a shutdown yet', () => {
    const life = serve();
    life.send(power('stop'));
    const before = life.state;
    life.pass('shutdownDeadline');
    const waiting = life.state;
    life.answer('task.started', { upid: 'UPID:1' });
    life.pass('shutdownDeadline');

    expect(waiting).toBe(before);
    expect(life.effects).toEqual(['container.shutdown', 'container.stop']);
  });

  test('an operation that takes too long ends, with the reason, and we look what is true', () => {
    const life = serve();
    life.send(power('stop'));
    life.pass('stopDeadline');
    const { hostOperation } = life.state.context;
    life.answer('host.observed', { power: 'running', node: 'pve1', lock: null });

    expect(hostOperation).toMatchObject({
      state: 'failed',
      error: { step: 'shutdown', code: 'deadline_exceeded' },
    });
    expect(life.state.matches({ host: 'running' })).toBe(true);
    expect(life.effects.at(-1)).toBe('container.observe');
  });

  test('that a sweep sees while our own call is in flight is not believed', () => {
    const life = serve();
    life.send(power('stop'));
    const before = life.state;
    life.send(sighted('stopped'));

    expect(life.state).toBe(before);
  });
});

test('a start forgets the address, which may now be of somebody else, until a sweep has seen it', () => {
  const life = serve();
  life.send(power('restart'));
  life.answer('container.restarted');
  const forgotten = life.state.context.ip;
  life.send({ type: 'address.found', opId: null, ip: '10.0.0.9' });
  const found = life.state;
  life.send({ type: 'address.found', opId: null, ip: '10.0.0.9' });

  expect(forgotten).toBeNull();
  expect(found.context.ip).toBe('10.0.0.9');
  expect(life.state).toBe(found);
});

describe('drift', () => {
  test.each([
    ['a node that does not answer', sighted('unknown'), 'unknown', 'node_offline'],
    ['a container that is gone', sighted('absent', { node: null }), 'absent', 'vanished'],
    ['a move to another node', sighted('running', { node: 'pve2' }), 'running', 'moved'],
  ])('%s is shown as it is, with the reason', (_, event, host, code) => {
    const life = serve();
    life.send(event);

    expect(Object.keys({ [JSON.stringify(life.state.value.host)]: 0 })[0]).toContain(host);
    expect(life.state.context.sighting.drift).toMatchObject({ code, at: 7 });
    expect(life.state.context.node).toBe(event.node ?? 'pve1');
  });

  test('a lock of Proxmox is known, and known to be gone', () => {
    const life = serve();
    life.send(sighted('running', { lock: 'backup' }));
    const locked = life.state.context.sighting;
    life.send(sighted('running'));

    expect(locked.lock).toBe('backup');
    expect(life.state.context.sighting).toEqual({ lock: null, drift: null });
  });

  test('that is over leaves neither its reason nor the address of before', () => {
    const life = serve();
    life.send(power('stop'));
    life.pass('stopDeadline');
    life.answer('host.observed', { power: 'running', node: 'pve1', lock: null });
    const failed = life.state.context;
    life.send(sighted('unknown'));
    life.send(sighted('running'));

    expect(failed.hostFailure).toBeNull();
    expect(life.state.matches({ host: 'running' })).toBe(true);
    expect(life.state.context).toMatchObject({ sighting: { drift: null }, ip: null });
  });

  test('is forgotten by whoever changes the power', () => {
    const life = serve();
    life.send(sighted('stopped'));
    life.send(power('start'));

    expect(life.state.context.sighting.drift).toBeNull();
  });
});

describe('a game that dies', () => {
  const crash = (crashCount: number | null) => ({ ...observed('crashed'), crashCount });

  test('is counted and started again, and given up when that is of no use', () => {
    const life = serve();
    life.send(crash(1));
    life.answer('agent.restarted');
    const helped = life.state;
    life.send(crash(2));

    expect(helped.value.recovery).toBe('settling');
    expect(life.effects).toEqual(['agent.restart']);
    expect(life.state.value.recovery).toBe('exhausted');
    expect(life.state.context.agent).toMatchObject({ crashCount: 2, lastCrashAt: 7 });
  });

  test('may do so again when it has run for long enough', () => {
    const life = serve();
    life.send(crash(1));
    life.answer('agent.restarted');
    life.send({ ...observed('ready'), crashCount: 1 });
    life.send({ ...crash(2), at: 7 + 600_000 });

    expect(life.effects).toEqual(['agent.restart', 'agent.restart']);
    expect(life.state.context.restartedAt).toEqual([600_007]);
  });

  test('and was started again by its own agent is counted all the same', () => {
    const life = serve();
    life.send({ ...observed('ready'), crashCount: 0 });
    life.send({ ...observed('ready'), crashCount: 3 });

    expect(life.state.context.agent).toMatchObject({ crashCount: 3, lastCrashAt: 7 });
    expect(life.effects).toEqual([]);
  });

  test('is left alone while it is being deleted', () => {
    const life = serve();
    life.send({ ...removal, force: true });
    life.send(crash(1));

    expect(life.state.value.recovery).toBe('idle');
    expect(life.effects).toEqual(['container.shutdown']);
  });
});
