import { afterAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { startBackupsWorld } from './backups-world.ts';

const world = await startBackupsWorld({ POLL_INTERVAL_MS: '300', BACKUP_SWEEP_MS: '100' });
afterAll(() => world[Symbol.asyncDispose]());

const T = { timeout: 60_000 };
const DAILY = { cron: '0 4 * * *', timezone: 'Europe/Berlin' };

async function createScheduled(schedule: object) {
  const game = await world.createGame();
  const url = `${game.path}/schedule`;
  const put = (body: object) => world.alice.call('PUT', url, { body });
  const get = async () => (await world.alice.call('GET', url)).body;
  expect(await put(schedule)).toMatchObject({ status: 200, body: { ok: true, schedule } });
  return {
    ...game,
    put,
    get,
    /** As if this time had come, so long ago. */
    async becomeDue(agoMs: number) {
      await world.app.database.pool.query(
        `UPDATE backup_policy SET next_due_at = now() - $2 * interval '1 millisecond'
         WHERE instance_id LIKE $1 || '-%'`,
        [String(game.vmid), agoMs],
      );
    },
    settled: (count = 1) =>
      until(async () => (await get()).runs.length === count && (await get()), {
        ...{ what: 'what became of it', timeoutMs: 20_000 },
      }),
    ended: (operationId: string) =>
      world.alice.call('GET', `/api/servers/${game.vmid}/operations/${operationId}`, {
        headers: { prefer: 'wait=20' },
      }),
  };
}

describe('a schedule', T, () => {
  test('has one backup made at its time, and goes on to the next', async () => {
    const game = await createScheduled(DAILY);
    await game.becomeDue(1_000);

    const { runs, schedule } = await game.settled();

    expect(runs).toMatchObject([{ outcome: 'accepted', reason: null }]);
    const { operation } = (await game.ended(runs[0].operationId)).body;
    expect(operation).toMatchObject({ state: 'succeeded', requestedBy: 'schedule' });
    expect(game.archives()).toEqual([`${operation.backupId}.tar.gz`]);
    expect(Date.parse(schedule.nextDueAt)).toBeGreaterThan(Date.now());
    const hour = new Intl.DateTimeFormat('en', {
      timeZone: 'Europe/Berlin',
      hour: 'numeric',
      hour12: false,
    });
    expect(Number(hour.format(new Date(schedule.nextDueAt)))).toBe(4);
  });

  test('says why it has skipped a time', async () => {
    const game = await createScheduled(DAILY);
    await world.power(world.alice, game.vmid, 'stop');
    await game.becomeDue(1_000);

    const { runs } = await game.settled();

    const skipped = { outcome: 'skipped', reason: 'host_not_running', operationId: null };
    expect(runs).toMatchObject([skipped]);
    expect(game.archives()).toEqual([]);
  });

  test('makes one backup for all times that were missed, or none', async () => {
    const game = await createScheduled({ ...DAILY, misfire: 'run_once' });
    await game.becomeDue(3 * 24 * 3_600_000);
    const { runs } = await game.settled();
    expect(runs).toMatchObject([{ outcome: 'accepted', reason: 'misfire' }]);
    await game.ended(runs[0].operationId);
    await game.put({ ...DAILY, misfire: 'skip' });
    await game.becomeDue(2 * 24 * 3_600_000);

    const later = await game.settled(2);

    const missed = { outcome: 'missed', reason: 'misfire', operationId: null };
    expect(later.runs[0]).toMatchObject(missed);
    expect(game.archives()).toHaveLength(1);
  });

  test.each([
    [{ cron: 'every day' }, 'cron'],
    [{ cron: '0 0 4 * * *' }, 'cron'],
    [{ cron: '* * * * *' }, 'cron'],
    [{ cron: '0 4 * * *', timezone: 'Europe/Nowhere' }, 'timezone'],
    [{ keepCount: 0 }, 'body.keepCount'],
  ])('%o is refused, and its field is named', async (schedule, field) => {
    const game = await world.createGame();

    const answer = await world.alice.call('PUT', `${game.path}/schedule`, { body: schedule });

    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_input' } });
    expect(answer.body.errors).toMatchObject([{ field }]);
  });
});

test(
  'too many backups are deleted, the oldest first, and never one that is locked',
  T,
  async () => {
    const game = await world.createGame();
    const ids: string[] = [];
    for (let made = 0; made < 4; made += 1) {
      ids.push((await game.backUp()).body.operation.backupId);
    }
    await game.ask('PUT', `/${ids[0]}/lock`);

    await world.alice.call('PUT', `${game.path}/schedule`, { body: { keepCount: 1 } });

    await until(() => game.archives().length === 2, {
      ...{ what: 'two backups to be left', timeoutMs: 20_000 },
    });
    const left = (await game.list()).backups.map((one: { id: string }) => one.id);
    expect(left.toSorted()).toEqual([ids[0], ids[3]].toSorted());
    const { operations } = (await world.alice.call('GET', `/api/servers/${game.vmid}/operations`))
      .body;
    const deletions = operations.filter(
      (one: { requestedBy: string }) => one.requestedBy === 'retention',
    );
    expect(deletions.map((one: { backupId: string }) => one.backupId)).toEqual([ids[2], ids[1]]);
    const { backupId } = (await game.backUp()).body.operation;
    await until(
      () => game.archives().length === 2 && !game.archives().includes(`${ids[3]}.tar.gz`),
      {
        ...{ what: 'the new one to take the place of the last', timeoutMs: 20_000 },
      },
    );
    expect(game.archives()).toContain(`${backupId}.tar.gz`);
  },
);
