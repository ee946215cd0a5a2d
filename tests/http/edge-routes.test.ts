import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { startCloudflare } from '../../lab/cloudflare/server.ts';
import { startRouter } from '../../lab/router/router.ts';
import { startTechnitium } from '../../lab/technitium/server.ts';
import { createTechnitiumClient } from '../../src/clients/technitium/client.ts';
import { ADMIN, ALICE, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const WAIT = { prefer: 'wait=30' };
const TOKEN = 'a token for Traefik';
const NEVER_MS = '86400000';

await using opened = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'zpack-edge-'));
opened.defer(() => rm(folder, { recursive: true, force: true }));
const technitium = opened.use(await startTechnitium({ dataDir: folder }));
const cloudflare = opened.use(await startCloudflare({ dataDir: folder }));
const app = opened.use(
  await startTestApp({
    environment: {
      TECHNITIUM_URL: technitium.url.href,
      TECHNITIUM_TOKEN: technitium.token,
      TECHNITIUM_ZONE: technitium.zone,
      CLOUDFLARE_URL: cloudflare.url.href,
      CLOUDFLARE_TOKEN: cloudflare.token,
      CLOUDFLARE_ZONE_ID: cloudflare.zoneId,
      CLOUDFLARE_ZONE: cloudflare.zone,
      EDGE_IP: '10.0.0.9',
      PUBLIC_IP: '203.0.113.7',
      TRAEFIK_TOKEN: TOKEN,
      TRAEFIK_ENTRYPOINTS: 'terraria=tcp:7777-7786',
      // Only whoever asks compares.
      DNS_RECONCILE_MS: NEVER_MS,
    },
  }),
);
const router = opened.use(
  await startRouter({
    url: `${app.url}/internal/traefik/dynamic`,
    token: TOKEN,
    entryPoints: { 'terraria-7777': { protocol: 'tcp', port: 0 } },
    pollMs: 25,
  }),
);
const closing = opened.move();
afterAll(() => closing.disposeAsync());
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];

const GAME = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const DEV = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };

const statusOf = async (vmid: number) =>
  (await alice.call('GET', `/api/servers/${vmid}/status`)).body;
async function create(body: object): Promise<number> {
  return (await alice.call('POST', '/api/instances', { body, headers: WAIT })).body.vmid;
}
const edgeIs = (vmid: number, state: string) =>
  until(async () => (await statusOf(vmid)).edge?.state === state, {
    what: `${vmid} to be ${state}`,
    timeoutMs: 20_000,
  });
async function createPublished(): Promise<number> {
  const vmid = await create(GAME);
  await edgeIs(vmid, 'published');
  return vmid;
}
const change = (vmid: number, verb: string, headers: Record<string, string> = WAIT) =>
  admin.call('POST', `/api/edge/${vmid}/${verb}`, { headers });
const inside = (vmid: number) => technitium.records().filter(({ name }) => isOf(name, vmid));
const outside = (vmid: number) => cloudflare.records().filter(({ name }) => isOf(name, vmid));
const isOf = (name: string, vmid: number) => name.includes(`terraria-${vmid}.`);
const counts = (vmid: number) => [inside(vmid).length, outside(vmid).length];
async function idOf(vmid: number): Promise<string> {
  const text = `SELECT id FROM container_instance WHERE vmid = $1
    UNION SELECT id FROM deleted_instance WHERE vmid = $1`;
  return (await app.database.pool.query(text, [vmid])).rows[0].id;
}

describe('publishing', () => {
  test('and the contrary are operations, which can be followed to their ends', async () => {
    const vmid = await createPublished();

    const off = await change(vmid, 'unpublish', {});
    const operation = off.headers.get('location') ?? '';
    const ended = await admin.call('GET', operation, { headers: WAIT });
    const afterwards = { counts: counts(vmid), edge: (await statusOf(vmid)).edge };
    const again = await change(vmid, 'unpublish');
    const on = await change(vmid, 'publish');

    expect(off).toMatchObject({
      status: 202,
      body: {
        ok: true,
        operation: { kind: 'unpublish', state: 'running', requestedBy: ADMIN },
        statusUrl: `/api/servers/${vmid}/status`,
      },
    });
    expect(operation).toBe(`/api/servers/${vmid}/operations/${off.body.operation.id}`);
    expect(off.headers.get('retry-after')).toBe('2');
    expect(ended.body.operation).toMatchObject({ state: 'succeeded', error: null });
    expect(afterwards).toMatchObject({
      counts: [0, 0],
      edge: { state: 'unpublished', isWanted: false },
    });
    expect(again).toMatchObject({
      status: 200,
      body: { ok: true, result: 'no_change', operation: { kind: 'unpublish' } },
    });
    expect(on).toMatchObject({
      status: 200,
      body: { ok: true, operation: { kind: 'publish', state: 'succeeded' } },
    });
    expect(counts(vmid)).toEqual([2, 2]);
    expect((await statusOf(vmid)).edge).toMatchObject({ state: 'published', isWanted: true });
    expect(router.problems()).toEqual([]);
  });

  test('is begun once for each key', async () => {
    const vmid = await createPublished();
    const keyed = { 'idempotency-key': `k-${vmid}` };

    const answers = await Promise.all([1, 2, 3].map(() => change(vmid, 'publish', keyed)));
    const other = await change(vmid, 'unpublish', keyed);

    const ids = answers.map(({ body }) => body.operation.id);
    expect(new Set(ids).size).toBe(1);
    const replays = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true');
    expect(replays.length).toBe(2);
    expect(other).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } });
  });

  test('is for administrators, and of what there is', async () => {
    const vmid = await create(GAME);

    for (const verb of ['publish', 'unpublish']) {
      const path = `/api/edge/${vmid}/${verb}`;
      expect(await alice.call('POST', path)).toMatchObject({
        status: 403,
        body: { error: 'forbidden' },
      });
      expect((await app.anonymous.call('POST', path)).status).toBe(401);
      expect(await change(5998, verb)).toMatchObject({ status: 404 });
    }
  });

  test('is refused with a reason where it makes no sense', async () => {
    const dev = await create(DEV);
    const { body: young } = await alice.call('POST', '/api/instances', { body: GAME });

    const nothing = await change(dev, 'publish');
    const early = await change(young.vmid, 'publish');

    expect(nothing).toMatchObject({
      status: 409,
      body: { error: 'refused', reason: 'nothing_to_publish', allowedActions: expect.any(Array) },
    });
    expect(nothing.body.allowedActions).toContain('stop');
    expect(early).toMatchObject({
      status: 409,
      body: { error: 'refused', reason: 'provisioning_in_progress' },
    });
  });
});

describe('the health of the edge', () => {
  test('says of each third party how it was found, and of no other', async () => {
    const asked = technitium.requests().length;

    const { status, body } = await until(
      async () => {
        const answer = await admin.call('GET', '/api/edge/health');
        return answer.body.ok && answer;
      },
      { what: 'every party to be well', timeoutMs: 20_000 },
    );
    await Promise.all(Array.from({ length: 20 }, () => admin.call('GET', '/api/edge/health')));

    const found = { reachable: true, latencyMs: expect.any(Number), lastError: null };
    expect(status).toBe(200);
    expect(body.parties).toMatchObject([
      { name: 'internal_dns', ...found },
      { name: 'public_dns', ...found },
      { name: 'router', reachable: true, latencyMs: null },
    ]);
    expect(body.parties.every(({ ageMs }: { ageMs: number }) => ageMs < 60_000)).toBe(true);
    expect(technitium.requests().length - asked).toBeLessThan(20);
  });

  test('does not know who is not configured, and tells silence from never having looked', async () => {
    await using node = await app.startNode({
      ROLE: 'api',
      REDIS_PREFIX: `${app.environment['REDIS_PREFIX']}other`,
      CLOUDFLARE_URL: '',
      CLOUDFLARE_TOKEN: '',
      CLOUDFLARE_ZONE_ID: '',
      CLOUDFLARE_ZONE: '',
    });

    const { body } = await createClient(node.url ?? '', admin.token).call(
      'GET',
      '/api/edge/health',
    );

    const unseen = { latencyMs: null, checkedAt: null, ageMs: null, lastError: null };
    expect(body).toEqual({
      ok: false,
      parties: [
        { name: 'internal_dns', reachable: null, ...unseen },
        { name: 'router', reachable: false, ...unseen },
      ],
    });
  });

  test('is for administrators', async () => {
    expect((await alice.call('GET', '/api/edge/health')).status).toBe(403);
  });
});

describe('the comparison of DNS', () => {
  const compare = async (query = '') =>
    (await admin.call('GET', `/api/admin/dns/reconcile${query}`)).body;

  test('changes nothing unless it is told to', async () => {
    const vmid = await createPublished();
    const gone = await createPublished();
    const goneId = await idOf(gone);
    await alice.call('DELETE', `/api/containers/${gone}?force=true`, { headers: WAIT });
    const [name] = inside(vmid).map((record) => record.name);
    const host = `terraria-${gone}.${cloudflare.zone}`;
    const stray = (comment: string) =>
      cloudflare.addByHand({ type: 'A', name: host, content: '203.0.113.7', ttl: 60, comment });
    stray(`zpack:${goneId}`);
    await forget(vmid);

    const dry = await compare();
    const between = counts(vmid);
    const real = await compare('?dryRun=false');
    await edgeIs(vmid, 'published');
    const after = await compare('?dryRun=true');

    const missing = { zone: 'internal_dns', vmid, hasContainer: true };
    const strange = { zone: 'public_dns', name: host, instanceId: goneId, why: 'archived' };
    expect(name).toContain(`terraria-${vmid}`);
    expect(dry).toMatchObject({
      isDryRun: true,
      zones: [
        { zone: 'internal_dns', error: null },
        { zone: 'public_dns', error: null },
      ],
      missing: [{ ...missing, isTold: false }],
      strays: [{ ...strange, isRemoved: false, hasContainer: false }],
    });
    expect(between).toEqual([0, 2]);
    expect(real).toMatchObject({
      isDryRun: false,
      missing: [{ ...missing, isTold: true }],
      strays: [{ ...strange, isRemoved: true }],
    });
    expect(counts(vmid)).toEqual([2, 2]);
    expect(outside(gone)).toEqual([]);
    expect(after).toMatchObject({ isDryRun: true, missing: [], strays: [] });
  });

  test('is for administrators, and says what it does not understand', async () => {
    const path = '/api/admin/dns/reconcile';

    expect((await alice.call('GET', path)).status).toBe(403);
    expect(await admin.call('GET', `${path}?dryRun=perhaps`)).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'query.dryRun' }] },
    });
  });
});

/** As somebody would by hand: every record of that server in internal DNS. */
async function forget(vmid: number): Promise<void> {
  await using client = createTechnitiumClient({
    baseUrl: technitium.url,
    token: technitium.token,
    zone: technitium.zone,
    timeoutMs: 5_000,
  });
  for (const { name, type, comments: comment } of [...inside(vmid)]) {
    await client.removeRecords({ name, type: type as 'A' | 'SRV', comment });
  }
}
