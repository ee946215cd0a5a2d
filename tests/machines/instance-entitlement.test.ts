import { expect, test } from 'vitest';

import { describeStatus } from '../../src/machines/instance/status.ts';
import { allowedActions, explain } from '../../src/machines/instance/wishes.ts';
import {
  begin,
  install,
  observed,
  power,
  removal,
  serve,
  sighted,
} from '../support/instance-life.ts';

const suspension = { type: 'entitlement.suspended', reason: 'payment_due', order: 1 };
const restoration = { type: 'entitlement.restored', order: 2 };

test('what is not paid for is stopped, in the name of billing, and its condition says why', () => {
  const life = serve();

  life.send(suspension);

  expect(life.effects).toEqual(['container.shutdown']);
  expect(life.state.context.hostOperation).toMatchObject({ kind: 'stop', requestedBy: 'billing' });
  life.answer('container.stopped');
  expect(life.state.value).toMatchObject({ host: 'stopped', entitlement: 'suspended' });
  const { conditions } = describeStatus({ ...life.state, since: {} } as never);
  expect(conditions).toContainEqual(
    expect.objectContaining({ type: 'Entitled', status: 'False', reason: 'payment_due' }),
  );
});

test('what is suspended cannot be started, with the reason; it can be deleted', () => {
  const life = serve();
  life.send(suspension);
  life.answer('container.stopped');

  expect(allowedActions(life.state)).toEqual(['delete', 'force_delete']);
  for (const verb of ['start', 'restart'] as const) {
    expect(explain(life.state, power(verb)).code).toBe('suspended');
  }
  const before = life.state;
  life.send(power('start'));
  expect(life.state).toBe(before);
  life.send({ ...removal, force: false });
  expect(life.state.matches({ provisioning: 'deleting' })).toBe(true);
});

test('what ran before runs again when it is paid for, and is then as it was', () => {
  const life = serve();
  life.send(suspension);
  life.answer('container.stopped');
  life.effects.length = 0;

  life.send(restoration);

  expect(life.effects).toEqual(['container.start']);
  expect(life.state.context.hostOperation).toMatchObject({ kind: 'start', requestedBy: 'billing' });
  life.answer('container.started');
  expect(life.state.value).toMatchObject({ host: 'running', entitlement: 'granted' });
  life.send(observed('ready'));
  expect(allowedActions(life.state)).toContain('stop');
});

test('what its owner had stopped stays off when it is paid for', () => {
  const life = serve();
  life.send(power('stop'));
  life.send(suspension);
  life.answer('container.stopped');
  life.effects.length = 0;

  life.send(restoration);

  expect(life.state.value).toMatchObject({ host: 'stopped', entitlement: 'granted' });
  expect(life.effects).toEqual([]);
});

test('what is paid for before it has stopped is started again after the stop', () => {
  const life = serve();
  life.send(suspension);
  life.send(restoration);
  life.effects.length = 0;

  life.answer('container.stopped');

  expect(life.effects).toEqual(['container.start']);
});

test('what is still being made is made, then stopped, and runs when it is paid for', () => {
  const life = begin();
  life.send(suspension);
  life.answer('container.cloned', { node: 'pve1' });
  life.answer('container.configured');
  life.answer('container.started');
  life.answer('address.found', { ip: '10.0.0.5' });
  life.answer('agent.configured');
  life.effects.length = 0;

  life.send(observed('ready'));

  expect(life.state.value).toMatchObject({ provisioning: 'ready' });
  expect(life.state.context.operation.state).toBe('succeeded');
  expect(life.effects).toEqual(['container.shutdown']);
  life.answer('container.stopped');
  life.send(restoration);
  expect(life.effects.at(-1)).toBe('container.start');
});

test('somebody who starts it by hand on Proxmox has it stopped again', () => {
  const life = serve();
  life.send(suspension);
  life.answer('container.stopped');
  life.effects.length = 0;

  life.send(sighted('running'));

  expect(life.effects).toEqual(['container.shutdown']);
});

test('what nobody can see is stopped as soon as somebody can, however often that fails', () => {
  const life = serve();
  life.send(sighted('unknown'));
  expect(life.state.matches({ host: 'unknown' })).toBe(true);
  life.send(suspension);
  expect(life.state.context.entitlement.wantsRunning).toBe(true);

  for (const _ of [1, 2]) {
    life.send(sighted('running'));
    expect(life.effects.at(-1)).toBe('container.shutdown');
    life.fail('host', false);
    life.fail('host', false);
    expect(life.state.matches({ host: { unknown: 'observing' } })).toBe(true);
    life.pass('observeDeadline');
  }
  life.send(sighted('running'));
  life.answer('container.stopped');

  expect(life.state.value).toMatchObject({ host: 'stopped', entitlement: 'suspended' });
});

test('a start that fails when it is paid for is tried again until it succeeds', () => {
  const life = serve();
  life.send(suspension);
  life.answer('container.stopped');
  life.send(restoration);
  life.fail('host', false);
  life.effects.length = 0;

  life.send(sighted('stopped', { opId: life.state.context.ops.host?.id }));

  expect(life.effects).toEqual(['container.start']);
  life.fail('host', false);
  life.pass('resumeDeadline');
  expect(life.state.value).toMatchObject({ entitlement: 'resuming' });
  life.send(sighted('stopped', { opId: life.state.context.ops.host?.id }));
  life.answer('container.started');
  expect(life.state.value).toMatchObject({ host: 'running', entitlement: 'granted' });
});

test('told twice, it is suspended once and restored once', () => {
  const life = install();
  life.send(observed('ready'));
  life.send(suspension);
  const suspended = life.state;
  life.send(suspension);
  expect(life.state).toBe(suspended);

  life.send(restoration);
  const restored = life.state;
  life.send(restoration);

  expect(life.state).toBe(restored);
});

test('a decision that comes after a later one changes nothing', () => {
  const life = serve();
  life.send(restoration);
  const restored = life.state;

  life.send(suspension);

  expect(life.state).toBe(restored);
  expect(life.effects).toEqual([]);
});
