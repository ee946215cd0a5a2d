import { expect, test } from 'vitest';

import { operationsOf } from '../../src/machines/instance/operations.ts';
import { allowedActions, explain } from '../../src/machines/instance/wishes.ts';
import { power, removal, serve, sighted } from '../support/instance-life.ts';

const wish = (noun: string) => ({
  ...{ type: `${noun}.requested`, operationId: 'op-b', requestedBy: 'c-1', backupId: 'b-1' },
});

/** In service, with answers to the call about backups that is in flight. */
function maintain(noun: string) {
  const life = serve();
  const answer = (type: string, fields: object = {}) =>
    life.send({ type, opId: life.state.context.ops.backup?.id, ...fields });
  const fail = (code: string, retryable = false) =>
    answer('effect.failed', { code, message: code, retryable });
  life.send(wish(noun));
  return Object.assign(life, {
    tell: answer,
    refuse: fail,
    operation: () => life.state.context.maintenance.operation,
  });
}

const halted = (isRunning: boolean) => {
  const life = maintain('restore');
  if (isRunning) life.tell('game.found_running');
  life.tell('game.halted');
  return life;
};

test('a backup is made and then compared with its checksum', () => {
  const life = maintain('backup');
  life.tell('backup.made', { backupId: 'b-7' });
  expect(life.state.value.maintenance).toEqual({ verifying: 'performing' });
  life.tell('backup.verified');

  expect(life.effects).toEqual(['backup.create', 'backup.verify']);
  expect(life.operation()).toMatchObject({ state: 'succeeded', backupId: 'b-7', error: null });
});

test('a backup that its agent cannot verify is made all the same', () => {
  const life = maintain('backup');
  life.tell('backup.made', { backupId: 'b-7' });
  life.refuse('verify_unsupported');

  expect(life.operation()).toMatchObject({ state: 'succeeded', backupId: 'b-7' });
});

test('a backup that does not match its checksum has failed, and says which one it is', () => {
  const life = maintain('backup');
  life.tell('backup.made', { backupId: 'b-7' });
  life.refuse('backup_damaged');

  const error = { step: 'verify', code: 'backup_damaged', message: 'backup_damaged' };
  expect(life.operation()).toMatchObject({ state: 'failed', backupId: 'b-7', error });
});

test('a game that ran runs again after its restoration', () => {
  const life = halted(true);
  life.tell('backup.restored');
  life.tell('game.resumed');

  expect(life.effects).toEqual(['backup.halt', 'backup.restore', 'backup.resume']);
  expect(life.operation()).toMatchObject({ state: 'succeeded' });
});

test('a game that did not run does not run after its restoration', () => {
  const life = halted(false);
  life.tell('backup.restored');

  expect(life.effects).toEqual(['backup.halt', 'backup.restore']);
  expect(life.operation()).toMatchObject({ state: 'succeeded' });
});

test('a game that ran runs again when its restoration has failed, which says why', () => {
  const life = halted(true);
  life.refuse('disk_full');
  expect(life.state.value.maintenance).toEqual({ resuming: 'performing' });
  life.tell('game.resumed');

  const error = { step: 'restore', code: 'disk_full', message: 'disk_full' };
  expect(life.operation()).toMatchObject({ state: 'failed', error });
});

test('a restoration that takes too long is given up, and the game runs again', () => {
  const life = halted(true);
  life.pass('backupDeadline');
  life.tell('game.resumed');

  expect(life.operation()).toMatchObject({ state: 'failed', error: { code: 'deadline_exceeded' } });
  expect(life.state.value.maintenance).toBe('idle');
});

test('a game that cannot be started again is owed its start for as long as it takes', () => {
  const life = halted(true);
  life.tell('backup.restored');
  life.refuse('no_answer');
  expect(life.operation()).toMatchObject({ state: 'failed', error: { step: 'resume' } });
  for (let round = 0; round < 8; round += 1) {
    life.pass('owedPause');
    life.refuse('no_answer', true);
  }
  expect(life.state.value.maintenance).toEqual({ owing: 'pausing' });
  expect(allowedActions(life.state)).toContain('restart');

  life.pass('owedPause');
  life.tell('game.resumed');

  expect(life.state.value.maintenance).toBe('idle');
});

test('power is refused meanwhile with the reason, and a deletion is not', () => {
  const life = halted(true);
  const before = life.state;
  for (const verb of ['start', 'stop', 'restart'] as const) {
    expect(explain(life.state, power(verb)).code).toBe('maintenance_in_progress');
    life.send(power(verb));
  }
  expect(life.state).toBe(before);
  expect(allowedActions(life.state)).toEqual(['force_delete']);

  life.send({ ...removal, force: true });

  const record = { state: 'superseded', error: { code: 'deletion_in_progress' } };
  expect(life.operation()).toMatchObject(record);
  expect(operationsOf(before.context, life.state.context)).toContainEqual(
    expect.objectContaining({ ...record, error: expect.objectContaining(record.error) }),
  );
  expect(life.state.context.ops.backup).toBeNull();
});

test('a container that goes off in the middle of a restoration is started again', () => {
  const life = halted(true);
  life.send(sighted('stopped'));

  expect(life.operation()).toMatchObject({ state: 'failed', error: { code: 'container_stopped' } });
  expect(life.state.context.hostOperation).toMatchObject({ requestedBy: 'maintenance' });
  life.answer('container.started');
  life.pass('owedPause');
  life.tell('game.resumed');

  expect(life.effects.slice(-2)).toEqual(['container.start', 'backup.resume']);
  expect(life.state.value).toMatchObject({ host: 'running', maintenance: 'idle' });
});

/** Whose container went off in the middle of a restoration, and cannot be started. */
const unstartable = () => {
  const life = halted(true);
  life.send(sighted('stopped'));
  for (let round = 1; round <= 3; round += 1) {
    life.fail('host', false);
    life.send(sighted('stopped', { opId: life.state.context.ops.host?.id }));
    if (round < 3) life.pass('owedPause');
  }
  return life;
};

test('a container that cannot be started again is tried three times, and not for ever', () => {
  const life = unstartable();

  expect(life.effects.filter((kind) => kind === 'container.start')).toHaveLength(3);
  expect(life.state.value).toMatchObject({ host: 'stopped', maintenance: 'idle' });
});

test('a start that failed for an earlier restoration does not keep a later one from starting', () => {
  const life = unstartable();
  life.send(sighted('running'));
  life.send({ type: 'address.found', opId: null, ip: '10.0.0.6' });
  life.send(wish('restore'));
  life.tell('game.found_running');
  life.effects.length = 0;
  life.send(sighted('stopped'));

  expect(life.effects).toEqual(['container.start']);
});

test('a container whose game did not run stays off when it goes off', () => {
  const life = halted(false);
  life.send(sighted('stopped'));

  expect(life.effects).not.toContain('container.start');
  expect(life.state.value).toMatchObject({ host: 'stopped', maintenance: 'idle' });
});

test('whoever turns it off meanwhile has it off', () => {
  const life = halted(true);
  life.tell('backup.restored');
  life.refuse('no_answer');
  life.send(power('stop'));

  expect(life.state.value).toMatchObject({ maintenance: 'idle' });
});

const owed = () => {
  const life = halted(true);
  life.tell('backup.restored');
  life.refuse('no_answer');
  return life;
};

test('a game that its owner stops meanwhile is not started any more', () => {
  const life = owed();
  life.pass('owedPause');
  expect(life.effects.at(-1)).toBe('backup.resume');
  life.send({ type: 'game_stop.requested' });

  expect(life.state.value.maintenance).toBe('idle');
  expect(life.state.context.ops.backup).toBeNull();
  const before = life.state;
  life.send({ type: 'game_stop.requested' });
  expect(life.state).toBe(before);
});

test('a game that is started and dies is handed over to recovery, which gives up some time', () => {
  const life = owed();
  life.pass('owedPause');
  const crashed = { readySource: null, installStep: null, state: null };
  const dies = (crashCount: number) =>
    life.send({ type: 'agent.observed', condition: 'crashed', ...crashed, crashCount });
  dies(1);
  expect(life.effects).not.toContain('agent.restart');
  life.refuse('game_crashed');

  expect(life.state.value).toMatchObject({ maintenance: 'idle', recovery: 'restarting' });
  for (let round = 2; life.state.value.recovery !== 'exhausted'; round += 1) {
    expect(round).toBeLessThan(9);
    life.answer('agent.restarted');
    dies(round);
  }
  expect(life.effects.filter((kind) => kind === 'backup.resume')).toHaveLength(2);
});

test('another restoration can be asked for meanwhile, and the game runs again after it', () => {
  const life = owed();
  life.send(wish('restore'));
  life.tell('game.halted');
  life.tell('backup.restored');
  expect(life.state.value.maintenance).toEqual({ resuming: 'performing' });
  life.tell('game.resumed');

  expect(life.operation()).toMatchObject({ state: 'succeeded' });
});

test('a backup deleted meanwhile, for the room that it takes, leaves the start of the game owed', () => {
  const life = owed();
  life.send(wish('backup_deletion'));
  life.tell('backup.deleted');

  expect(life.operation()).toMatchObject({ kind: 'backup_deletion', state: 'succeeded' });
  expect(life.state.value.maintenance).toEqual({ owing: 'pausing' });
});

test('a container that is turned off outside meanwhile stays off, as at any other time', () => {
  const life = owed();
  life.send(sighted('stopped'));

  expect(life.effects).not.toContain('container.start');
  expect(life.state.value).toMatchObject({ host: 'stopped', maintenance: 'idle' });
});

test('a container that is to be started for its game, and is suspended first, runs when it is paid', () => {
  const life = halted(true);
  life.send(sighted('stopped'));
  life.fail('host', false);
  life.send(sighted('stopped', { opId: life.state.context.ops.host?.id }));
  expect(life.state.value.maintenance).toEqual({ owing: { unpowered: 'pausing' } });
  life.effects.length = 0;

  life.send({ type: 'entitlement.suspended', reason: 'payment_due', order: 1 });
  expect(life.state.value).toMatchObject({ host: 'stopped', maintenance: 'idle' });
  life.send({ type: 'entitlement.restored', order: 2 });

  expect(life.effects).toEqual(['container.start']);
});

test('a container that is to be started for its game says so, and stays off when the game is stopped', () => {
  const life = halted(true);
  life.send(sighted('stopped'));
  life.fail('host', false);
  life.send(sighted('stopped', { opId: life.state.context.ops.host?.id }));

  expect(explain(life.state, power('stop')).code).toBe('game_start_owed');
  life.send({ type: 'game_stop.requested' });

  expect(explain(life.state, power('stop')).code).toBe('no_change');
  expect(life.state.value).toMatchObject({ host: 'stopped', maintenance: 'idle' });
});

test('while the agent is asked to start the game, nothing else is asked of it', () => {
  const life = owed();
  life.pass('owedPause');
  expect(life.state.value.maintenance).toEqual({ owing: 'performing' });

  expect(explain(life.state, wish('restore')).code).toBe('game_start_owed');
  expect(allowedActions(life.state)).not.toContain('restore');
});

test('no backup is worked on while a game that has died is being started again', () => {
  const life = serve();
  const crashed = { readySource: null, installStep: null, state: null, crashCount: 1 };
  life.send({ type: 'agent.observed', condition: 'crashed', ...crashed });
  expect(life.effects.at(-1)).toBe('agent.restart');

  expect(explain(life.state, wish('restore')).code).toBe('recovery_in_progress');
  expect(allowedActions(life.state)).not.toContain('restore');
});

test('what is not paid for any more is stopped when its restoration has ended', () => {
  const life = halted(true);
  life.send({ type: 'entitlement.suspended', reason: 'payment_due', order: 1 });
  expect(life.state.value.host).toBe('running');
  life.tell('backup.restored');
  life.tell('game.resumed');

  expect(life.effects.at(-1)).toBe('container.shutdown');
  expect(life.state.context.entitlement.wantsRunning).toBe(true);
});

test('a game that is stopped for its restoration is not taken for one that has died', () => {
  const life = halted(true);
  const crashed = { readySource: null, installStep: null, state: null, crashCount: 1 };
  life.send({ type: 'agent.observed', condition: 'crashed', ...crashed });

  expect(life.effects).not.toContain('agent.restart');
});
