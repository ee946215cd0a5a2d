import { afterAll, describe, expect, test } from 'vitest';

import type { InstanceContext, InstanceInput } from '../../src/machines/instance/types.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createTestDatabase } from '../support/database.ts';
import { createFleetWriter } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';

const INSTANCES = 5;
const ROUNDS = 8;
/** As long as real ones: it could go out of line itself, and then no update would be HOT. */
const CUSTOMER = '0193a5b2-7c41-7e7e-9d3a-5f0c8a1b2c3d';

const longName = (kind: string) => `${kind}-${'a-long-name.'.repeat(60)}example.com`;
const dns = (kind: 'internal_dns' | 'public_dns') => ({
  ...{ kind, name: longName(kind), address: '192.0.2.1', service: '_minecraft._tcp', port: 25_565 },
});
const publication = { protocol: 'tcp', port: 25_565 } as const;
const plan: InstanceInput['plan'] = {
  targets: [
    dns('internal_dns'),
    dns('public_dns'),
    { kind: 'router', entryPoint: longName('router'), ...publication, backendPort: 25_565 },
    { kind: 'forward', targetIp: longName('forward'), ...publication, targetPort: 25_565 },
  ],
  proxy: { serverName: longName('proxy'), backendPort: 25_565 },
};
const failure = { step: 'clone', code: 'x', message: 'no space left. '.repeat(300) } as const;

const opened = new AsyncDisposableStack();
afterAll(() => opened.disposeAsync());

/** A database whose one connection has no statistics of its own left when it is asked for some. */
async function setUp() {
  const { url } = opened.use(await createTestDatabase());
  const database = opened.use(openDatabase({ url, connectionsMax: 1, onError: () => {} }));
  // What it does by chance is not what is to be seen.
  await database.pool.query('ALTER TABLE container_instance SET (autovacuum_enabled = false)');
  return {
    writer: createFleetWriter(database),
    /** Transactions of other databases that run on keep PostgreSQL from reusing old versions. */
    async untilNobodyNeedsOldRows() {
      const text = `SELECT max(xmin::text::bigint) < txid_snapshot_xmin(txid_current_snapshot())
        AS "areFree" FROM container_instance`;
      const areFree = async () => (await database.pool.query(text)).rows[0].areFree as boolean;
      await until(areFree, { what: 'the transactions of others', timeoutMs: 20_000 });
    },
    async figures() {
      await database.pool.query('SELECT pg_stat_force_next_flush()');
      const { rows } = await database.pool.query<Record<string, number>>(
        `SELECT t.n_tup_upd::int AS updates, t.n_tup_hot_upd::int AS hot,
           o.n_tup_ins::int AS chunks, pg_relation_size(c.oid)::int AS bytes
         FROM pg_class c JOIN pg_stat_all_tables t ON t.relid = c.oid
         JOIN pg_stat_all_tables o ON o.relid = c.reltoastrelid
         WHERE c.relname = 'container_instance'`,
      );
      return rows[0] as { updates: number; hot: number; chunks: number; bytes: number };
    },
  };
}

describe('steps that change no payload', () => {
  test.each([
    ['few words about it', {}, {}, false],
    ['a payload of several kB', { plan }, {}, true],
    ['a payload of several kB and a long memory', { plan }, { failure }, true],
    ['a memory that is longer than half a page', {}, { failure }, true],
  ] as [string, Partial<InstanceInput>, Partial<InstanceContext>, boolean][])(
    'of instances with %s need no more pages, no new entry of an index, and no payload written',
    async (_, input, more, isApart) => {
      const { writer, figures, untilNobodyNeedsOldRows } = await setUp();
      const vmids = Array.from({ length: INSTANCES }, (__, index) => 5_001 + index);
      await writer.create(vmids.map((vmid) => ({ vmid, customerId: CUSTOMER, more: input })));
      await writer.change(vmids, more);
      await untilNobodyNeedsOldRows();
      await writer.change(vmids);
      const born = await until(
        async () => {
          const now = await figures();
          return now.updates === 2 * INSTANCES && now;
        },
        { what: 'the statistics of the beginning' },
      );

      for (let round = 0; round < ROUNDS; round += 1) {
        await untilNobodyNeedsOldRows();
        await writer.change(vmids);
      }
      const { updates, hot, chunks, bytes } = await until(
        async () => {
          const now = await figures();
          return now.updates === (ROUNDS + 2) * INSTANCES && now;
        },
        { what: 'the statistics of all steps' },
      );

      expect(hot - born.hot).toBe(updates - born.updates);
      expect(bytes).toBe(born.bytes);
      expect(chunks).toBe(born.chunks);
      expect(chunks > 0).toBe(isApart);
    },
  );
});
