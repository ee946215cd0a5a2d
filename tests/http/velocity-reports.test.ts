import { afterAll, describe, expect, test } from 'vitest';

import { startVelocity } from '../../lab/velocity/velocity.ts';
import { hashSecret } from '../../src/clients/velocity/secret.ts';
import { ALICE, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const PATH = '/internal/velocity/proxy-status';
const SECRET = 'shared-with-the-bridge';
const HASH = hashSecret(SECRET);
const WAIT = { prefer: 'wait=30' };
const ORDER = {
  ctype: 'game',
  game: 'minecraft',
  variant: 'vanilla',
  version: '1.20.4',
  memoryMiB: 2048,
};

// It reports to nobody: what is reported is what the tests post.
const velocity = await startVelocity({ secret: SECRET, pingMs: 60_000 });
const app = await startTestApp({
  environment: { VELOCITY_URL: velocity.url.href, VELOCITY_SECRET: SECRET },
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await velocity[Symbol.asyncDispose]();
});
const alice = await app.signIn(ALICE);

const post = (body: unknown, headers: Record<string, string> = { 'x-zpack-secret': HASH }) =>
  app.anonymous.call('POST', PATH, { body, headers });
const create = (body: object) =>
  alice.call('POST', '/api/instances', { body, headers: WAIT }).then((one) => one.body.vmid);
const statusOf = async (vmid: number) =>
  (await alice.call('GET', `/api/servers/${vmid}/status`)).body;

/** A server that Velocity leads to, and a report about it. */
async function setUp() {
  const vmid: number = await create(ORDER);
  const { proxy } = await until(
    async () => {
      const status = await statusOf(vmid);
      return status.proxy?.state === 'registered' && status;
    },
    { what: 'the registration', timeoutMs: 20_000 },
  );
  const { serverName: server_name, address, port } = proxy;
  const report = { status: 'proxy_ping_ok', server_name, address, port };
  return { vmid, report };
}

const { vmid, report } = await setUp();
const proxyOf = async () => (await statusOf(vmid)).proxy;
const journalled = async (): Promise<readonly { event: Record<string, unknown> }[]> => {
  const { rows } = await app.database.pool.query(
    `SELECT event FROM journal WHERE vmid = $1 AND event ->> 'type' = 'proxy.reported'
     ORDER BY version`,
    [vmid],
  );
  return rows;
};

describe('a report', () => {
  test('moves what is said of the proxy', async () => {
    const timestamp = new Date().toISOString();

    const ok = await post({ ...report, timestamp, latency_ms: 3.5 });
    const after = await statusOf(vmid);
    const failed = await post({
      ...report,
      server_name: report.server_name.toUpperCase(),
      status: 'proxy_ping_failed',
      detail: 'connection refused',
      timestamp: Date.parse(timestamp) + 1,
    });

    expect(ok).toMatchObject({ status: 200, body: { ok: true, outcome: 'applied' } });
    expect(after).toMatchObject({
      proxy: {
        state: 'ping_ok',
        source: 'velocity',
        status: 'proxy_ping_ok',
        serverName: report.server_name,
        latencyMs: 3.5,
        reportedAt: timestamp,
        duplicate: false,
      },
      connection: { verdict: 'connectable' },
    });
    expect(failed.body).toEqual({ ok: true, outcome: 'applied' });
    expect(await proxyOf()).toMatchObject({
      state: 'ping_failed',
      detail: 'connection refused',
      serverName: report.server_name,
    });
  });

  test('that comes twice is recorded twice, as a duplicate', async () => {
    const before = await proxyOf();
    const once = { ...report, timestamp: Date.now() };

    const outcomes = [
      await post(once),
      await post(once),
      await post({ ...report, duplicate: true }),
    ];

    expect(outcomes.map(({ body }) => body.outcome)).toEqual(['applied', 'duplicate', 'duplicate']);
    expect(await proxyOf()).toMatchObject({
      state: 'ping_ok',
      duplicate: true,
      reports: before.reports + 3,
      duplicates: before.duplicates + 2,
    });
  });

  test('about another registration is journalled, and not believed', async () => {
    await post({ ...report, timestamp: Date.now() });
    const [before, entries] = [await proxyOf(), await journalled()];

    const elsewhere = { ...report, status: 'proxy_ping_failed', port: report.port + 1 };
    const late = await post({ ...elsewhere, detail: 'from before' });
    const older = await post({
      ...report,
      status: 'proxy_ping_failed',
      timestamp: Date.now() - 60_000,
    });

    expect([late.body.outcome, older.body.outcome]).toEqual(['late', 'late']);
    expect(await proxyOf()).toMatchObject({
      state: 'ping_ok',
      status: 'proxy_ping_ok',
      lateReports: before.lateReports + 2,
      lastLate: { status: 'proxy_ping_failed', port: report.port },
    });
    const since = (await journalled()).slice(entries.length);
    expect(since.map(({ event }) => event)).toMatchObject([
      { port: report.port + 1, detail: 'from before' },
      { port: report.port, status: 'proxy_ping_failed' },
    ]);
  });

  test('each of many at once is counted, and leaves the edge alone', async () => {
    const before = await statusOf(vmid);

    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        post({ ...report, timestamp: Date.now() + index, latency_ms: index }),
      ),
    );

    const tally = Object.groupBy(answers, ({ body }) => body.outcome);
    const after = await statusOf(vmid);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(after.proxy).toMatchObject({
      reports: before.proxy.reports + 200,
      lateReports: before.proxy.lateReports + (tally['late']?.length ?? 0),
      duplicates: before.proxy.duplicates + (tally['duplicate']?.length ?? 0),
    });
    expect(after.edge).toEqual(before.edge);
  });
});

describe('is refused', () => {
  test.each([
    ['no secret', {}],
    ['the secret itself', { 'x-zpack-secret': SECRET }],
    ['the wrong hash', { 'x-zpack-secret': hashSecret('another') }],
    ['a token', { authorization: `Bearer ${HASH}` }],
  ])('with %s, before the body is read', async (_, headers: Record<string, string>) => {
    for (const body of [report, '{ not JSON', 'x'.repeat(20_000)]) {
      const answer = await post(body, headers);

      expect(answer).toMatchObject({ status: 401, body: { error: 'unauthenticated' } });
      expect(JSON.stringify(answer.body)).not.toMatch(/secret|sha|hash/i);
    }
  });

  test('for a server that is not ours, or not behind Velocity', async () => {
    const terraria = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
    const other: number = await create(terraria);
    const names = [
      'mc-vanilla-5999',
      'lobby',
      `mc-paper-${vmid}`,
      `${report.server_name}.`,
      `terraria-${other}`,
      'mc-vanilla-99999999999999',
    ];

    const answers = await Promise.all(names.map((server_name) => post({ ...report, server_name })));

    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 404));
    expect(answers[0]?.body.error).toBe('not_found');
  });

  test('with a body that makes no sense, naming every field', async () => {
    const { status, body } = await post({
      status: 'proxy_exploded',
      server_name: 'x'.repeat(300),
      port: 70_000,
      latency_ms: -1,
      detail: 'x'.repeat(501),
      timestamp: 'yesterday',
    });

    expect(status).toBe(400);
    expect(body.errors.map(({ field }: { field: string }) => field)).toEqual([
      'body.status',
      'body.server_name',
      'body.address',
      'body.port',
      'body.latency_ms',
      'body.detail',
      'body.timestamp',
    ]);
    expect((await post('{ not JSON')).status).toBe(400);
  });

  test('with a body that is too long', async () => {
    const answer = await post({ ...report, padding: 'x'.repeat(9_000) });

    expect(answer).toMatchObject({ status: 413, body: { error: 'body_too_large' } });
  });

  test('when there are too many, before the body is read; strangers do not count', async () => {
    await using node = await app.startNode({ ROLE: 'api', PROXY_REPORTS_PER_S: '3' });
    const client = createClient(node.url ?? '', '');
    const send = (headers: Record<string, string>) =>
      client.call('POST', PATH, { body: '{ not JSON', headers });

    const strange = await Promise.all(Array.from({ length: 20 }, () => send({})));
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send({ 'x-zpack-secret': HASH })),
    );

    expect(new Set(strange.map(({ status }) => status))).toEqual(new Set([401]));
    const limited = answers.filter(({ status }) => status === 429);
    const read = answers.filter(({ status }) => status === 400);
    expect(limited.length + read.length).toBe(20);
    expect(read.length).toBeGreaterThanOrEqual(3);
    expect(limited.length).toBeGreaterThan(10);
    expect(limited[0]).toMatchObject({ body: { error: 'limit_exceeded' } });
    expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('where no bridge is configured', async () => {
    await using node = await app.startNode({
      ROLE: 'api',
      VELOCITY_URL: '',
      VELOCITY_SECRET: '',
    });

    const answer = await createClient(node.url ?? '', '').call('POST', PATH, {
      body: report,
      headers: { 'x-zpack-secret': HASH },
    });

    expect(answer).toMatchObject({ status: 404, body: { error: 'not_found' } });
  });
});

test('a server that has been deleted is unknown', async () => {
  await alice.call('DELETE', `/api/containers/${vmid}?force=true`, { headers: WAIT });

  expect(await post(report)).toMatchObject({ status: 404, body: { error: 'not_found' } });
});
