import type { Pool, PoolClient } from 'pg';

import { planRows, restore } from '../../src/actors/plan.ts';
import type { Stored } from '../../src/actors/store.ts';
import { createTransition } from '../../src/actors/transition.ts';
import { listUnchanged } from '../../src/actors/unchanged.ts';
import { type Columns, joinColumns, toColumns } from '../../src/storage/snapshot-columns.ts';
import type { Life, Sending } from './lives.ts';
import type { Figures } from './load.ts';
import { MACHINES, type MachineName } from './machines.ts';

type Row = Pick<Stored, 'version'> & Columns;

/**
 * One transaction per event, as one would write it first: lock the row, step, write the same
 * rows, commit. Its journal is numbered by a sequence, which is not gapless, but spares it the
 * lock that would put all commits in a line.
 */
export async function createTransactionPerEvent(pool: Pool, name: MachineName) {
  await pool.query('CREATE SEQUENCE IF NOT EXISTS bench_seq START 1000000000');
  const { machine, machineVersion } = MACHINES[name];
  const transition = createTransition(machine);

  async function step(client: PoolClient, { id, event, completes }: Sending): Promise<void> {
    const run = (text: string, values: unknown[]) =>
      client.query<Row>({ name: text.slice(0, 60), text, values });
    const lock =
      'SELECT version, snapshot, payload FROM container_instance WHERE id = $1 FOR UPDATE';
    const found = await run(lock, [id]);
    const stored = joinColumns(found.rows[0] as Row);
    const at = Date.now();
    const before = restore(machine, stored.snapshot);
    const [after, actions] = transition(before as never, { ...event, at } as never);
    const version = stored.version + 1;
    const plan = planRows({ id, version, before: stored.snapshot, at }, after, actions);
    const unchanged = listUnchanged(before.context, after.context);
    const { snapshot, payload } = toColumns({ ...plan, unchanged });
    await run(
      `UPDATE container_instance SET snapshot = $2, payload = COALESCE($5, payload), version = $3,
         machine_version = $4, updated_at = now() WHERE id = $1`,
      [id, JSON.stringify(snapshot), version, machineVersion, payload],
    );
    await run(
      `INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
       VALUES (nextval('bench_seq'), $1, $2, $3, $4, $5, $6)`,
      [
        id,
        Number.parseInt(id, 10),
        version,
        `t-${version}`,
        JSON.stringify({ ...event, at }),
        JSON.stringify(plan.snapshot.value),
      ],
    );
    for (const { key, kind, params } of plan.effects) {
      await run('INSERT INTO effect (key, instance_id, kind, params) VALUES ($1, $2, $3, $4)', [
        key,
        id,
        kind,
        JSON.stringify(params),
      ]);
    }
    if (completes !== undefined) await run('DELETE FROM effect WHERE key = $1', [completes]);
    if (plan.cancels.length > 0) {
      await run('DELETE FROM timer WHERE instance_id = $1 AND timer_id = ANY($2)', [
        id,
        plan.cancels,
      ]);
    }
    for (const { timerId, delayMs, event: due } of plan.arms) {
      await run(
        `INSERT INTO timer (instance_id, timer_id, generation, event, due_at)
         VALUES ($1, $2, $3, $4, now() + $5 * interval '1 millisecond')
         ON CONFLICT (instance_id, timer_id) DO UPDATE
         SET generation = excluded.generation, event = excluded.event, due_at = excluded.due_at`,
        [id, timerId, version, JSON.stringify(due), delayMs],
      );
    }
  }

  return async (sending: Sending): Promise<void> => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await step(client, sending);
      await client.query('COMMIT');
    } finally {
      client.release();
    }
  };
}

/**
 * The least that any batching design must do: rewrite the same rows with the bytes of a step that
 * changes no payload, as most do, in batches of the size that the group commit formed, one after
 * the other. Nothing is decided, journalled or checked, and the parameters are built beforehand.
 */
export async function runUpdateFloor(
  pool: Pool,
  options: {
    readonly lives: readonly Life[];
    readonly ids: readonly string[];
    readonly batch: number;
    readonly measureMs: number;
  },
): Promise<Figures> {
  const { lives, ids, measureMs } = options;
  const batch = Math.max(1, Math.min(options.batch, ids.length));
  const snapshotOf = (index: number) => {
    const { start } = lives[index % lives.length] as Life;
    return toColumns({ ...start, unchanged: ['payload'] }).snapshot;
  };
  const batches = Array.from({ length: Math.floor(ids.length / batch) }, (_, nth) =>
    JSON.stringify(
      ids.slice(nth * batch, (nth + 1) * batch).map((id, index) => ({
        id,
        snapshot: snapshotOf(nth * batch + index),
      })),
    ),
  );
  const begunAt = performance.now();
  const latencies: number[] = [];
  while (performance.now() < begunAt + measureMs) {
    const sentAt = performance.now();
    await pool.query({
      name: 'bench_floor',
      text: `UPDATE container_instance c SET snapshot = s.snapshot, version = c.version + 1
        FROM jsonb_to_recordset($1::jsonb) AS s(id text, snapshot jsonb) WHERE c.id = s.id`,
      values: [batches[latencies.length % batches.length]],
    });
    latencies.push(performance.now() - sentAt);
  }
  const events = latencies.length * batch;
  const elapsedMs = performance.now() - begunAt;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return { perSecond: (events / elapsedMs) * 1000, p50Ms: at(0.5), p99Ms: at(0.99), events };
}
