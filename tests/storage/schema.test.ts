import { readFile } from 'node:fs/promises';

import type { Pool, PoolClient } from 'pg';
import { describe, expect, test } from 'vitest';

import { Prisma, type PrismaClient } from '../../src/storage/generated/client.ts';
import { createTestDatabase } from '../support/database.ts';
import { describePrismaSchema } from '../support/prisma-schema.ts';

/** The same lines as `describePrismaSchema`, from the database's own catalogue. */
async function describeDatabase(
  pool: Pick<Pool | PoolClient, 'query'>,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(`
    WITH ours AS (
      SELECT oid, relname FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname <> '_prisma_migrations'
    )
    SELECT format('column %s.%s: %s %s, %s', o.relname, a.attname,
        format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END,
        CASE WHEN d.oid IS NULL OR a.attgenerated <> '' THEN 'nothing'
          ELSE pg_get_expr(d.adbin, d.adrelid) END) AS line
    FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT format('%s %s(%s)',
        CASE WHEN i.indisprimary THEN 'primary key' WHEN i.indisunique THEN 'unique index'
          ELSE 'index' END,
        o.relname,
        (SELECT string_agg(pg_get_indexdef(i.indexrelid, n, true), ', ' ORDER BY n)
         FROM generate_series(1, i.indnatts) AS n))
    FROM ours o JOIN pg_index i ON i.indrelid = o.oid
    UNION ALL
    SELECT format('enum %s: %s', t.typname, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder))
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname`);
  return rows
    .map(({ line }) => line.replace(/\((gen_random_uuid\(\))\)::text/, '$1').replaceAll('"', ''))
    .sort();
}

/** Differences of each kind, of which none may stay unseen. */
const PLANTED = [
  ['a column that may be null', 'ALTER TABLE effect ALTER kind DROP NOT NULL'],
  ['another type', 'ALTER TABLE debt ALTER attempts TYPE BIGINT'],
  ['another precision', 'ALTER TABLE timer ALTER due_at TYPE TIMESTAMPTZ'],
  ['another default', 'ALTER TABLE debt ALTER attempts SET DEFAULT 1'],
  ['a column more', 'ALTER TABLE debt ADD note TEXT'],
  ['a column less', 'ALTER TABLE debt DROP message'],
  ['an index less', 'DROP INDEX timer_due_at_idx'],
  ['an index more', 'CREATE INDEX extra ON debt(code)'],
  ['an index that is not unique', 'DROP INDEX user_email_key; CREATE INDEX e ON "user"(email)'],
  [
    'the columns of a key in another order',
    'DROP INDEX journal_instance_id_version_key; ' +
      'CREATE UNIQUE INDEX j ON journal(version, instance_id)',
  ],
  ['a value of an enumeration more', `ALTER TYPE role ADD VALUE 'guest'`],
  ['a table more', 'CREATE TABLE stray (id TEXT PRIMARY KEY)'],
] as const;

const readSchema = () => readFile('prisma/schema.prisma', 'utf8');

describe('schema.prisma and the migrated database', () => {
  test('agree on every table, column, key, index and enumeration', async () => {
    await using database = await createTestDatabase();

    const inSchema = describePrismaSchema(await readSchema());
    const inDatabase = await describeDatabase(database.pool);

    expect(inDatabase).toEqual(inSchema);
    expect(inSchema.length).toBeGreaterThan(80);
  });

  test('are seen to differ by whatever differs', async () => {
    await using database = await createTestDatabase();
    const schema = describePrismaSchema(await readSchema());
    const seen: string[] = [];

    for (const [what, alteration] of PLANTED) {
      const client = await database.pool.connect();
      await client.query('BEGIN');
      await client.query(alteration);
      const altered = await describeDatabase(client);
      await client.query('ROLLBACK');
      client.release();
      if (altered.join() !== schema.join()) seen.push(what);
    }

    expect(seen).toEqual(PLANTED.map(([what]) => what));
    expect(await describeDatabase(database.pool)).toEqual(schema);
  });
});

const at = new Date('2026-11-23T12:34:56.789Z');

/** One row of each model as it is written; a model that is added does not compile without one. */
const ROWS = {
  ContainerInstance: {
    id: '5001-a',
    vmid: 5001,
    version: 1,
    machineVersion: 1,
    snapshot: {
      value: { agent: 'ready' },
      context: {
        customerId: 'c-1',
        ctype: 'game',
        hostname: 'mc-1',
        ip: '10.0.0.5',
        node: 'pve1',
        engineType: 'minecraft',
        allocatedPorts: [25565],
        agent: { lastSeenAt: at.getTime(), crashCount: 2, lastCrashAt: at.getTime() - 1 },
      },
    },
    payload: { game: 'minecraft' },
    createdAt: at,
    updatedAt: at,
  },
  Backup: {
    instanceId: '5001-a',
    backupId: 'b-1',
    name: 'op-1',
    sizeBytes: 9_007_199_254_740_993n,
    sha256: 'ab',
    madeAt: at,
    seenAt: at,
    missingAt: null,
    verifiedAt: at,
    damagedAt: null,
    lockedAt: at,
    lockedBy: 'u-1',
    deletingBy: null,
  },
  BackupPolicy: {
    instanceId: '5001-a',
    cron: '0 4 * * *',
    timezone: 'Europe/Berlin',
    misfire: 'run_once',
    keepCount: 7,
    keepDays: null,
    nextDueAt: at,
    retainedAt: null,
    updatedAt: at,
  },
  BackupRun: {
    instanceId: '5001-a',
    dueAt: at,
    outcome: 'skipped',
    reason: 'suspended',
    operationId: null,
    at,
  },
  Journal: {
    seq: 9_007_199_254_740_993n,
    instanceId: '5001-a',
    vmid: 5001,
    version: 1,
    eventId: 'e-1',
    event: { type: 'x' },
    state: 'working',
    at,
  },
  JournalHead: { id: 2, lastSeq: 7n },
  Effect: {
    key: '5001-a/1/0',
    instanceId: '5001-a',
    kind: 'container.clone',
    params: { vmid: 5001 },
    leaseToken: 'token',
    leasedUntil: at,
    claims: 1,
    createdAt: at,
  },
  Timer: { instanceId: '5001-a', timerId: 't', generation: 1, event: { type: 't' }, dueAt: at },
  IdempotencyKey: {
    userId: 'u',
    key: 'k',
    fingerprint: 'f',
    status: 202,
    response: { vmid: 5001 },
    createdAt: at,
  },
  VmidReservation: { vmid: 5001, instanceId: '5001-a', createdAt: at },
  VmidCounter: { range: 'game', next: 5002 },
  DeletedInstance: {
    id: '5000-a',
    vmid: 5000,
    customerId: 'c-1',
    ctype: 'game',
    hostname: 'mc-0',
    ip: null,
    node: 'pve1',
    payload: {},
    engineType: null,
    allocatedPorts: [],
    operation: {},
    createdAt: at,
    deletedAt: at,
  },
  Debt: {
    id: 'd-1',
    instanceId: '5000-a',
    vmid: 5000,
    kind: 'container',
    code: 'no_answer',
    message: 'm',
    attempts: 3,
    createdAt: at,
    triedAt: at,
  },
  Operation: {
    id: 'op-1',
    instanceId: '5001-a',
    vmid: 5001,
    record: { kind: 'stop' },
    acceptedAt: at,
  },
  User: {
    id: 'u',
    email: 'a@example.test',
    username: 'a',
    displayName: null,
    role: 'admin',
    passwordHash: 'h',
    firstName: 'A',
    lastName: null,
    stripeCustomerId: 'cus_1',
    mailBouncedAt: null,
    createdAt: at,
  },
  Session: {
    id: 's-1',
    userId: 'u',
    userAgent: null,
    createdAt: at,
    lastUsedAt: at,
    expiresAt: at,
    revokedAt: at,
    revokedFor: 'logout',
  },
  RefreshToken: { hash: 'h', sessionId: 's-1', createdAt: at, usedAt: null },
  PasswordReset: { hash: 'h', userId: 'u', createdAt: at, expiresAt: at, usedAt: at },
  ApiToken: {
    id: 't-1',
    userId: 'u',
    name: 'deploy',
    hash: 'h',
    scopes: ['read'],
    createdAt: at,
    expiresAt: null,
    lastUsedAt: null,
    revokedAt: at,
  },
  AuditEntry: {
    id: 'a-1',
    at,
    actorId: 'u',
    subjectId: null,
    action: 'login',
    outcome: 'refused',
    ip: '127.0.0.1',
    detail: {},
  },
  Mail: {
    id: 'm-1',
    key: 'reset/1',
    kind: 'password_reset',
    recipient: 'a@example.test',
    params: {},
    state: 'queued',
    attempts: 0,
    transport: null,
    messageId: null,
    error: null,
    createdAt: at,
    dueAt: at,
    leasedUntil: null,
    finishedAt: null,
  },
  PlanPrice: { id: 'price_1', planId: 'small' },
  Plan: {
    id: 'small',
    name: 'Small',
    slots: 2,
    memoryMiB: 4096,
    priceCents: 500,
    currency: 'usd',
    stripePriceId: 'price_1',
    position: 1,
    isDefault: false,
  },
  Subscription: {
    id: 'sub-u',
    userId: 'u',
    version: 1,
    machineVersion: 1,
    snapshot: {
      value: { standing: 'suspended' },
      context: {
        observed: { planId: 'small', subscriptionId: 'sub_1', periodEnd: at.getTime() },
        suspendedAt: at.getTime(),
      },
    },
    createdAt: at,
    updatedAt: at,
  },
  SubscriptionJournal: {
    instanceId: 'sub-u',
    version: 1,
    eventId: 'e-1',
    event: { type: 'x' },
    state: { standing: 'none' },
    at,
  },
  StripeEvent: {
    id: 'evt_1',
    type: 'invoice.paid',
    customerId: 'cus_1',
    payload: {},
    state: 'received',
    attempts: 0,
    createdAt: at,
    receivedAt: at,
    processedAt: null,
  },
  BillingRun: {
    id: 'r-1',
    kind: 'reconcile',
    leaseToken: 'token',
    leasedUntil: at,
    startedAt: at,
    finishedAt: at,
    outcome: 'succeeded',
    result: { checked: 1 },
  },
  EdgePort: { protocol: 'tcp', port: 7777, instanceId: '5001-a', createdAt: at },
} as const satisfies Record<Prisma.ModelName, object>;

interface Table {
  create(query: { data: object }): Promise<object>;
  findMany(): Promise<readonly object[]>;
}

const tableOf = (prisma: PrismaClient, model: string) => {
  const name = `${model.slice(0, 1).toLowerCase()}${model.slice(1)}`;
  return (prisma as unknown as Readonly<Record<string, Table>>)[name];
};

describe('the generated client', () => {
  test('writes and reads a row of every model', async () => {
    await using database = await createTestDatabase();
    const read: Record<string, object | undefined> = {};

    for (const [model, data] of Object.entries(ROWS)) {
      const table = tableOf(database.prisma, model);
      await table?.create({ data });
      read[model] = (await table?.findMany())?.at(-1);
    }

    expect(read).toMatchObject(ROWS);
  });

  test('knows no other models than those', () => {
    expect(Object.keys(Prisma.ModelName).sort()).toEqual(Object.keys(ROWS).sort());
  });

  test('reads the columns that the database computes from the snapshot, and cannot write them', async () => {
    await using database = await createTestDatabase();
    const { containerInstance } = database.prisma;
    await containerInstance.create({ data: ROWS.ContainerInstance });

    const [row] = await containerInstance.findMany({ where: { customerId: 'c-1' } });
    const writing = containerInstance.update({ where: { id: '5001-a' }, data: { ip: '1.1.1.1' } });

    await expect(writing).rejects.toThrow();
    expect(row).toMatchObject({
      customerId: 'c-1',
      ctype: 'game',
      hostname: 'mc-1',
      ip: '10.0.0.5',
      node: 'pve1',
      engineType: 'minecraft',
      allocatedPorts: [25565],
      agentState: 'ready',
      agentLastSeen: at,
      crashCount: 2,
      lastCrashAt: new Date(at.getTime() - 1),
    });
  });
});
