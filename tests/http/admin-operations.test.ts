import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ADMIN, ALICE, startTestApp } from '../support/app.ts';

const PATH = '/api/admin/operations';
const app = await startTestApp({ environment: { ROLE: 'api' } });
afterAll(() => app[Symbol.asyncDispose]());
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
type Body = any;
const list = async (query = ''): Promise<Body> => (await admin.call('GET', `${PATH}${query}`)).body;

/** One for each operation: what it was, of which server, and how it ended. */
const summaryOf = ({ operations }: Body): readonly string[] =>
  operations.map(({ kind, vmid, state }: Body) => `${kind} ${vmid} ${state}`);

const ORDER = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };
const headers = { prefer: 'wait=20' };
const vmids: number[] = [];

beforeAll(async () => {
  await using _worker = await app.startNode({ ROLE: 'worker' });
  for (let one = 0; one < 2; one += 1) {
    const { body } = await alice.call('POST', '/api/instances', { body: ORDER, headers });
    vmids.push(body.vmid);
  }
  await alice.call('POST', `/api/servers/${vmids[0]}/host/stop`, { headers });
  await alice.call('DELETE', `/api/containers/${vmids[1]}?force=true`, { headers });
  app.proxmox.faults.plan({
    ...{ method: 'POST', path: /\/status\/start$/, times: 20, kind: 'status', status: 403 },
    text: 'Permission check failed (/vms/6000, VM.PowerMgmt)',
  });
  await alice.call('POST', `/api/servers/${vmids[0]}/host/start`, { headers });
});

describe('the operations of all servers', () => {
  test('are not to be seen by whoever is no administrator', async () => {
    const answer = await alice.call('GET', PATH);

    expect(answer).toMatchObject({ status: 403, body: { error: 'forbidden' } });
    expect((await app.anonymous.call('GET', PATH)).status).toBe(401);
  });

  test('are listed latest first, also those of a server that is gone', async () => {
    const body = await list();

    const [kept, gone] = vmids;
    const dates = body.operations.map(({ acceptedAt }: Body) => acceptedAt);
    expect(dates).toEqual(dates.toSorted().toReversed());
    expect(summaryOf(body)).toEqual(
      expect.arrayContaining([
        ...[`create ${kept} succeeded`, `create ${gone} succeeded`],
        ...[`stop ${kept} succeeded`, `delete ${gone} succeeded`, `start ${kept} failed`],
      ]),
    );
    expect(body.nextCursor).toBeNull();
    const named = new Map(body.operations.map((one: Body) => [one.vmid, one.hostname]));
    expect(named.get(kept)).toBe(`dev-${kept}`);
    expect(named.get(gone)).toBeNull();
    expect(JSON.stringify(body)).not.toContain(app.environment['PROXMOX_TOKEN_ID']);
  });

  test('come page by page, each of them once', async () => {
    const all = (await list()).operations.map(({ id }: Body) => id);
    const read: string[] = [];
    let cursor = '';
    for (let pages = 0; pages <= all.length; pages += 1) {
      const page = await list(`?limit=2${cursor}`);
      read.push(...page.operations.map(({ id }: Body) => id));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
    }

    expect(read).toEqual(all);
    expect(all.length).toBeGreaterThan(4);
  });

  test.each([
    ['?state=failed', ({ state }: Body) => state === 'failed'],
    ['?kind=create', ({ kind }: Body) => kind === 'create'],
    ['?kind=delete&state=succeeded', ({ kind }: Body) => kind === 'delete'],
    ['?vmid=5999', () => false],
  ])('%s answers those and no others', async (query, isMeant) => {
    const all = (await list()).operations;

    const { operations } = await list(query);

    expect(operations).toEqual(all.filter(isMeant));
    const ofOne = await list(`?vmid=${vmids[0]}`);
    expect(ofOne.operations).toEqual(all.filter(({ vmid }: Body) => vmid === vmids[0]));
  });

  test.each([
    ['?state=lost', 'state'],
    ['?kind=dance', 'kind'],
    ['?vmid=1', 'vmid'],
    ['?cursor=none', 'cursor'],
    ['?limit=1000', 'limit'],
  ])('%s is refused, with the name of what is wrong', async (query, field) => {
    const { status, body } = await admin.call('GET', `${PATH}${query}`);

    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ field: `query.${field}` }]);
  });

  test('are found by an index, however many there are and whichever are asked for', async () => {
    const client = await app.database.pool.connect();
    await client.query('BEGIN');
    await client.query(`INSERT INTO operation (id, instance_id, vmid, record, accepted_at)
      SELECT 'op-' || n, 'i-' || n % 50, n % 50, jsonb_build_object('kind',
        CASE WHEN n % 500 = 0 THEN 'retry' ELSE 'start' END, 'state',
        CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END),
        now() - n * interval '1 second' FROM generate_series(1, 20000) AS n`);
    await client.query('ANALYZE operation');

    const plans: string[] = [];
    for (const where of ['', "WHERE state = 'failed'", "WHERE kind = 'retry'", 'WHERE vmid = 7']) {
      const { rows } = await client.query(`EXPLAIN SELECT instance_id, vmid, record FROM operation
        ${where} ORDER BY accepted_at DESC, instance_id DESC, id DESC LIMIT 50`);
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
    }
    await client.query('ROLLBACK');
    client.release();

    const indexes = plans.map((plan) => /operation_\w+_idx/.exec(plan)?.[0]);
    expect(indexes).toEqual([
      ...['operation_accepted_at_idx', 'operation_state_accepted_at_idx'],
      ...['operation_kind_accepted_at_idx', 'operation_vmid_accepted_at_idx'],
    ]);
    expect(plans.join()).not.toContain('Seq Scan');
  });
});
