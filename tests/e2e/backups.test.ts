import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { WAIT } from '../http/host-world.ts';
import { until } from '../support/until.ts';
import { startBackupsWorld } from './backups-world.ts';

const world = await startBackupsWorld({ POLL_INTERVAL_MS: '300' });
afterAll(() => world[Symbol.asyncDispose]());

const T = { timeout: 60_000 };

describe.concurrent('a backup', T, () => {
  test('brings a changed file back, and the game runs as its owner wanted', async () => {
    const game = await world.createGame();
    const made = await game.backUp();
    expect(made).toMatchObject({ status: 200, body: { ok: true, operation: { kind: 'backup' } } });
    const { backupId } = made.body.operation;
    game.write('after');

    const restored = await game.restore(backupId);

    expect(restored.body).toMatchObject({ ok: true, operation: { kind: 'restore', backupId } });
    expect(game.read()).toBe('before');
    await game.becomes('running');
    const { maintenance, conditions } = await game.status();
    expect(maintenance).toMatchObject({ state: 'idle', operation: { state: 'succeeded' } });
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'Maintenance', status: 'False', reason: 'idle' }),
    );
    expect((await game.list()).backups).toMatchObject([{ id: backupId, state: 'verified' }]);
    const why = await world.alice.call('GET', `/api/servers/${game.vmid}/why`);
    expect(JSON.stringify(why.body)).toContain('Nothing is being done to backups');
  });

  test('is answered at once with 202, and its operation is polled', async () => {
    const game = await world.createGame();
    game.plan({ slowMs: 100 });
    const accepted = await game.backUp({ 'Idempotency-Key': `k-${game.vmid}` });

    expect(accepted).toMatchObject({ status: 202, body: { operation: { state: 'running' } } });
    expect(accepted.headers.get('location')).toBe(accepted.body.statusUrl);
    const ended = await world.alice.call('GET', accepted.body.statusUrl, { headers: WAIT });
    expect(ended.body.operation).toMatchObject({
      state: 'succeeded',
      backupId: expect.stringMatching(/^b-/),
    });
    const again = await game.backUp({ 'Idempotency-Key': `k-${game.vmid}` });
    expect(again.body.operation.id).toBe(accepted.body.operation.id);
    expect(game.archives()).toHaveLength(1);
    const other = await game.restore('b-1', { 'Idempotency-Key': `k-${game.vmid}` });
    expect(other).toMatchObject({ status: 422 });
  });

  test('leaves a game off that its owner had stopped', async () => {
    const game = await world.createGame();
    const { backupId } = (await game.backUp()).body.operation;
    expect(await game.game('stop')).toMatchObject({ status: 202 });
    await game.becomes('stopped');

    expect((await game.restore(backupId)).body).toMatchObject({ ok: true });

    expect((await game.status()).status).toBe('stopped');
  });

  test('is locked against deletion until it is unlocked', async () => {
    const game = await world.createGame();
    const { backupId } = (await game.backUp()).body.operation;

    expect((await game.ask('PUT', `/${backupId}/lock`)).body).toEqual({
      id: backupId,
      locked: true,
    });
    expect(await game.remove(backupId)).toMatchObject({
      ...{ status: 409, body: { error: 'refused', reason: 'backup_locked' } },
    });
    expect((await game.list()).backups).toMatchObject([{ id: backupId, locked: true }]);
    await game.ask('DELETE', `/${backupId}/lock`);
    expect((await game.remove(backupId)).body).toMatchObject({ ok: true });
    expect(game.archives()).toEqual([]);
  });
});

describe.concurrent('while backups are worked on', T, () => {
  test('power is refused with the reason and where to look; a deletion is not', async () => {
    const game = await world.createGame();
    const { backupId } = (await game.backUp()).body.operation;
    game.plan({ slowMs: 400 });
    const { statusUrl } = (await game.restore(backupId, {})).body;
    const refused = { status: 409, body: { error: 'refused', reason: 'maintenance_in_progress' } };

    for (const verb of ['start', 'stop', 'restart']) {
      expect(await world.power(world.alice, game.vmid, verb)).toMatchObject(refused);
      expect(await game.game(verb)).toMatchObject(refused);
    }
    expect(await game.backUp()).toMatchObject({ ...refused, body: { statusUrl } });
    for (const [method, path, body] of [
      ['PUT', 'files/content?path=new.txt', { content: 'lost' }],
      ['POST', 'files/mkdir', { path: 'new' }],
      ['DELETE', 'files?path=level.dat', undefined],
      ['POST', 'console/command', { command: 'say lost' }],
    ] as const) {
      const url = `/api/servers/${game.vmid}/${path}`;
      expect(await world.alice.call(method, url, { body })).toMatchObject(refused);
    }
    const looked = `/api/servers/${game.vmid}/files`;
    expect((await world.alice.call('GET', looked)).status).toBe(200);
    expect((await game.status()).maintenance.state).toMatch(/halting|restoring|resuming/);
    const url = `/api/containers/${game.vmid}?force=true`;
    const deleted = await world.alice.call('DELETE', url, { headers: WAIT });

    expect(deleted).toMatchObject({ status: 200, body: { ok: true } });
    const look = () => world.alice.call('GET', `/api/servers/${game.vmid}/status`);
    await until(async () => (await look()).status === 404, {
      ...{ what: 'this node to hear of the deletion', timeoutMs: 5_000 },
    });
  });
});

describe.concurrent('a restoration that fails', T, () => {
  test('says why, leaves the files, and the game runs again', async () => {
    const game = await world.createGame();
    const { backupId } = (await game.backUp()).body.operation;
    writeFileSync(join(game.folder, `${backupId}.tar.gz`), 'rotten');
    game.write('after');

    const { body } = await game.restore(backupId);

    expect(body).toMatchObject({
      ...{ ok: false, operation: { error: { step: 'restore', code: 'backup_damaged' } } },
    });
    expect(game.read()).toBe('after');
    await game.becomes('running');
    expect(game.archives()).toHaveLength(1);
    const { body: checked } = await game.verify(backupId);
    expect(checked.operation.error).toMatchObject({ code: 'backup_damaged' });
    expect((await game.list()).backups).toMatchObject([{ state: 'damaged' }]);
  });

  test('for a backup that is not there does not stop the game', async () => {
    const game = await world.createGame();

    const { body } = await game.restore('b-none');

    const error = { step: 'halt', code: 'backup_not_found' };
    expect(body).toMatchObject({ ok: false, operation: { error } });
    expect((await game.status()).status).toBe('running');
  });
});

describe.concurrent('a game that is owed its start after a restoration', T, () => {
  test('and dies is left to recovery, and not started beside it', async () => {
    const game = await world.createGame();
    const { backupId } = (await game.backUp()).body.operation;
    game.plan({ crashOnStart: true });

    const { body } = await game.restore(backupId);

    const error = { step: 'resume', code: 'game_crashed' };
    expect(body).toMatchObject({ ok: false, operation: { error } });
    const recovery = async () => {
      const { regions } = (await world.alice.call('GET', `/api/servers/${game.vmid}/why`)).body;
      return regions.find((one: { region: string }) => one.region === 'recovery').state;
    };
    await until(async () => (await recovery()) !== 'idle', {
      ...{ what: 'recovery to take over', timeoutMs: 20_000 },
    });
  });

  test('stays off when its owner stops it meanwhile, and can be restored once more', async () => {
    const game = await world.createGame();
    const { backupId } = (await game.backUp()).body.operation;
    game.plan({ slowMs: 300 });
    await game.restore(backupId, {});
    const isIn = (state: string) =>
      until(async () => (await game.status()).maintenance.state === state, {
        ...{ what: `maintenance to be ${state}`, timeoutMs: 20_000 },
      });
    await isIn('restoring');
    game.plan({ answers: { '/status': 'garbage' } });
    await isIn('owing');

    // Between two attempts, that is.
    const { operation } = await until(
      async () => {
        const { body } = await game.restore(backupId);
        return body.operation ? body : null;
      },
      { what: 'another restoration', timeoutMs: 20_000 },
    );
    expect(operation.error).toMatchObject({ step: 'halt' });
    await isIn('owing');
    expect(await game.game('stop')).toMatchObject({ status: 202 });

    await isIn('idle');
    game.plan({});
    await game.becomes('stopped');
  });
});

describe.concurrent('a disk that is full', T, () => {
  test.each(['create.packed', 'restore.begun'])(
    'at %s is said, and nothing is lost',
    async (at) => {
      const game = await world.createGame();
      const { backupId } = (await game.backUp()).body.operation;
      game.write('after');
      game.plan({ backups: { diskFullAt: at } });

      const { body } = at.startsWith('create') ? await game.backUp() : await game.restore(backupId);

      expect(body).toMatchObject({ ok: false, operation: { error: { code: 'disk_full' } } });
      expect(game.fired()).toEqual([`diskFullAt ${at}`]);
      expect(game.read()).toBe('after');
      expect(game.archives()).toHaveLength(1);
      await game.becomes('running');
    },
  );
});

describe.concurrent('an agent that is lost', T, () => {
  test('after its success is found to have succeeded, and the artefact stays', async () => {
    const game = await world.createGame();
    game.plan({ backups: { loseAnswer: 'POST' } });
    const { operation } = (await game.backUp()).body;
    expect(operation).toMatchObject({ state: 'succeeded' });
    expect(game.archives()).toEqual([`${operation.backupId}.tar.gz`]);
    game.write('after');
    for (const [verb, order] of [
      ['POST restore', () => game.restore(operation.backupId)],
      ['DELETE', () => game.remove(operation.backupId)],
    ] as const) {
      game.plan({ backups: { loseAnswer: verb } });
      expect((await order()).body).toMatchObject({ ok: true });
      if (verb === 'POST restore') expect(game.read()).toBe('before');
    }

    expect(game.fired()).toEqual([
      'loseAnswer POST',
      'loseAnswer POST restore',
      'loseAnswer DELETE',
    ]);
    expect(game.archives()).toEqual([]);
    await game.becomes('running');
  });

  test.each(['restore.begun', 'restore.moved_out', 'restore.cleared'])(
    'at %s takes its container along, which is started again with the game',
    async (at) => {
      const game = await world.createGame();
      const { backupId } = (await game.backUp()).body.operation;
      game.write('after');
      game.plan({ backups: { dieAt: at } });

      const { body } = await game.restore(backupId);

      expect(body).toMatchObject({ ok: false, operation: { state: 'failed' } });
      expect(game.fired()).toEqual([`dieAt ${at}`]);
      await until(async () => (await game.status()).maintenance.state === 'idle', {
        ...{ what: 'nothing to be owed', timeoutMs: 20_000 },
      });
      await game.becomes('running');
      expect(['before', 'after']).toContain(game.read());
      expect((await game.restore(backupId)).body).toMatchObject({ ok: true });
      expect(game.read()).toBe('before');
    },
  );

  test.each(['create.packed', 'create.archived', 'delete.begun', 'delete.unlisted'])(
    'at %s loses no other backup, and what was whole is taken over',
    async (at) => {
      const game = await world.createGame();
      const { backupId } = (await game.backUp()).body.operation;
      game.plan({ backups: { dieAt: at } });
      const order = at.startsWith('create') ? game.backUp : () => game.remove(backupId);

      expect((await order()).body.operation.error).toMatchObject({ code: 'container_stopped' });
      await world.power(world.alice, game.vmid, 'start');
      await game.becomes('running');

      const ids = (await game.list()).backups.map((one: { id: string }) => one.id);
      const wanted = { 'create.packed': 1, 'create.archived': 2, 'delete.begun': 1 }[at] ?? 0;
      expect(ids).toHaveLength(wanted);
      if (at !== 'delete.unlisted') expect(ids).toContain(backupId);
      expect(game.archives().toSorted()).toEqual(
        ids.map((id: string) => `${id}.tar.gz`).toSorted(),
      );
      expect(game.fired()).toEqual([`dieAt ${at}`]);
    },
  );
});

describe.concurrent('the list', T, () => {
  test('has one shape, keeps the words of the agent, and passes on its refusals', async () => {
    const game = await world.createGame();
    const { backupId } = (await game.backUp()).body.operation;

    expect(await game.list()).toMatchObject({
      ok: true,
      missing: [],
      backups: [
        {
          id: backupId,
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          locked: false,
          sizeBytes: expect.any(Number),
        },
      ],
    });
    const [archive] = game.archives();
    writeFileSync(join(game.folder, `${archive?.slice(0, -7)}.json`), 'no JSON');
    const failed = await world.alice.call('GET', game.path);
    expect(failed).toMatchObject({
      status: 400,
      body: { status: 400, error: 'backups_failed', details: { error: 'invalid_json' } },
    });
    expect(readdirSync(game.folder)).toContain(archive);
  });
});
