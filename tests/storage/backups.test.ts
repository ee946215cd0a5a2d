import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { type BackupPolicy, createBackupPolicies } from '../../src/storage/backup-policies.ts';
import { createBackups } from '../../src/storage/backups.ts';
import { createTestDatabase } from '../support/database.ts';
import { insertInstance } from '../support/instance-row.ts';

const database = await createTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { pool } = database;
const backups = createBackups(pool);
const policies = createBackupPolicies(pool);

let vmid = 5000;
let id = '';
beforeEach(async () => {
  vmid += 1;
  id = `${vmid}-a`;
  await insertInstance(pool, { id, vmid });
});

const listed = (backupId: string, more: object = {}) => ({
  ...{ id: backupId, name: null, sizeBytes: 1, createdAt: null, sha256: null },
  ...more,
});
const idsOf = async () => (await backups.list(id)).map(({ backupId }) => backupId);

describe('what agents list', () => {
  test('is taken over; what is listed no more is missing, and what comes back is there', async () => {
    await backups.adopt(id, [listed('b1'), listed('b2')]);
    await backups.lock(id, 'b1', 'u-1');
    await backups.adopt(id, [listed('b2')]);
    const [missing] = (await backups.list(id)).filter(({ backupId }) => backupId === 'b1');
    await backups.adopt(id, [listed('b1')]);
    const rows = await backups.list(id);

    expect(missing).toMatchObject({ missingAt: expect.any(Date), lockedAt: expect.any(Date) });
    expect(rows.find(({ backupId }) => backupId === 'b1')).toMatchObject({ missingAt: null });
  });

  test('may be nonsense, which does no harm', async () => {
    await backups.adopt(id, [
      listed('b1', { createdAt: 'yesterday', sizeBytes: 1e300 }),
      listed('b1', { createdAt: '+275760-09-13T00:00:00Z', sizeBytes: 0.5 }),
    ]);

    expect(await idsOf()).toEqual(['b1']);
  });

  test('is dated by our clock if we had it made, whatever the clock of its container says', async () => {
    const createdAt = '2001-01-01T00:00:00Z';
    await backups.adopt(id, [listed('b1', { createdAt }), listed('b2', { createdAt })]);
    await backups.record(id, listed('b1', { createdAt }));
    await backups.record(id, listed('b3', { createdAt: '2100-01-01T00:00:00Z' }));
    const { rows } = await pool.query<{ now: Date }>('SELECT now()');
    const now = rows[0]?.now.getTime() ?? 0;

    const agesOf = (await backups.list(id)).map(
      ({ backupId, madeAt }) => [backupId, now - (madeAt?.getTime() ?? 0)] as const,
    );
    const ages = Object.fromEntries(agesOf);
    expect(Math.abs(ages['b1'] ?? 1e9)).toBeLessThan(60_000);
    expect(Math.abs(ages['b3'] ?? 1e9)).toBeLessThan(60_000);
    expect(ages['b2']).toBe(now - Date.parse(createdAt));
  });

  test('without end is not kept without end', async () => {
    const batch = (round: number) =>
      Array.from({ length: 800 }, (_, index) => listed(`b${round}-${index}`));
    for (let round = 0; round < 4; round += 1) await backups.adopt(id, batch(round));

    const rows = await backups.list(id);
    expect(rows.filter(({ missingAt }) => missingAt !== null)).toHaveLength(1_000);
    expect(rows.filter(({ missingAt }) => missingAt === null)).toHaveLength(800);
    await pool.query(`UPDATE backup SET missing_at = now() - interval '91 days'
      WHERE instance_id = '${id}' AND missing_at IS NOT NULL`);
    await backups.adopt(id, batch(3));
    expect(await backups.list(id)).toHaveLength(800);
  });

  test('of an instance that is gone is not kept', async () => {
    await backups.record('gone-a', listed('b1'));

    expect(await backups.list('gone-a')).toEqual([]);
  });
});

describe('a lock and a deletion', () => {
  const begin = (operationId: string, state: string, finishedAt: number | null = null) =>
    pool.query(
      `INSERT INTO operation (instance_id, vmid, id, accepted_at, record)
       VALUES ($1, $4, $2, now(), $3)
       ON CONFLICT (instance_id, id) DO UPDATE SET record = $3`,
      [id, operationId, JSON.stringify({ state, finishedAt }), vmid],
    );

  test('exclude each other, whoever comes first', async () => {
    await backups.record(id, listed('b1'));
    await begin('op-1', 'running');
    expect(await backups.lock(id, 'b1', 'u-1')).toBe(true);
    expect(await backups.claimDeletion(id, 'b1', 'op-1')).toBe(false);
    await backups.unlock(id, 'b1');
    expect(await backups.claimDeletion(id, 'b1', 'op-1')).toBe(true);
    expect(await backups.lock(id, 'b1', 'u-1')).toBe(false);
    await begin('op-1', 'failed', Date.now());
    // Its call may still be on its way.
    expect(await backups.lock(id, 'b1', 'u-1')).toBe(false);
    await begin('op-1', 'failed', Date.now() - 61_000);

    expect(await backups.lock(id, 'b1', 'u-1')).toBe(true);
  });

  test('at the same moment: one of them is refused', async () => {
    for (let round = 0; round < 20; round += 1) {
      const one = `b${round}`;
      await backups.record(id, listed(one));
      await begin(`op-${round}`, 'running');

      const outcomes = await Promise.all([
        backups.lock(id, one, 'u-1'),
        backups.claimDeletion(id, one, `op-${round}`),
      ]);

      expect(outcomes.filter(Boolean)).toHaveLength(1);
    }
  });
});

describe('a time that is due', () => {
  const policy: BackupPolicy = {
    ...{ cron: '0 4 * * *', timezone: 'UTC', misfire: 'skip' as const },
    ...{ keepCount: 1, keepDays: null },
  };
  const dueAt = new Date('2026-11-24T04:00:00Z');
  const nextDueAt = new Date('2126-11-25T04:00:00Z');
  const run = { dueAt, nextDueAt, reason: null, operationId: null };

  test('is settled once, by whoever comes first', async () => {
    await policies.put(id, policy, dueAt);
    expect(await policies.listDue(10)).toMatchObject([{ instanceId: id, dueAt }]);

    await Promise.all([
      policies.settle(id, { ...run, outcome: 'accepted' }),
      policies.settle(id, { ...run, outcome: 'accepted' }),
    ]);
    await policies.settle(id, { ...run, outcome: 'skipped', nextDueAt: dueAt });

    expect(await policies.listRuns(id, 10)).toMatchObject([{ dueAt, outcome: 'accepted' }]);
    expect(await policies.find(id)).toMatchObject({ ...policy, nextDueAt });
  });

  test('goes with its instance, as all of this does', async () => {
    await policies.put(id, policy, dueAt);
    await policies.settle(id, { ...run, outcome: 'missed' });
    await backups.record(id, listed('b1'));
    await pool.query('DELETE FROM container_instance WHERE id = $1', [id]);

    expect(await policies.find(id)).toBeNull();
    expect(await policies.listRuns(id, 10)).toEqual([]);
    expect(await idsOf()).toEqual([]);
    expect(await policies.put(id, policy, dueAt)).toBe(false);
  });

  test('too many backups are looked for again when one more was verified', async () => {
    await policies.put(id, policy, null);
    await backups.record(id, listed('b1'));
    const isDue = async () =>
      (await policies.listUnretained(60_000, 100)).some(({ instanceId }) => instanceId === id);
    expect(await isDue()).toBe(true);
    await policies.noteRetained(id);
    expect(await isDue()).toBe(false);

    await backups.noteChecked(id, 'b1', true);

    expect(await isDue()).toBe(true);
  });
});
