import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';

import { readConfiguration } from '../../lab/router/configuration.ts';
import { startRouter } from '../../lab/router/router.ts';
import { createRouterSights } from '../../src/storage/router-sights.ts';
import { ADMIN, ALICE, type Client, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const PATH = '/internal/traefik/dynamic';
const TOKEN = 'a token for Traefik';
const WAIT = { prefer: 'wait=30' };
const TRAEFIK = {
  TRAEFIK_TOKEN: TOKEN,
  TRAEFIK_ENTRYPOINTS: 'terraria=tcp:7777-7779,valheim=udp:2456-2458',
};
const entryPointsOf = (game: string, protocol: 'tcp' | 'udp', ports: readonly number[]) =>
  ports.map((port) => [`${game}-${port}`, { protocol, port: 0 }] as const);
const ENTRY_POINTS = Object.fromEntries([
  ...entryPointsOf('terraria', 'tcp', [7777, 7778, 7779]),
  ...entryPointsOf('valheim', 'udp', [2456, 2457, 2458]),
]);

const folder = await mkdtemp(join(tmpdir(), 'zpack-routes-'));
const app = await startTestApp({ environment: TRAEFIK });
// Nothing is published or taken off before Traefik has asked.
const router = await startRouter({
  url: `${app.url}/internal/traefik/dynamic`,
  token: TOKEN,
  entryPoints: ENTRY_POINTS,
  pollMs: 25,
});
const redis = new Redis(inject('redisUrl'));
afterAll(async () => {
  redis.disconnect();
  await router[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];
const sightsAt = (prefix: string) => createRouterSights({ redis, prefix, pool: app.database.pool });

const ask = (headers: Record<string, string> = {}, token = TOKEN) =>
  createClient(app.url, token).call('GET', PATH, { headers });
const routesIn = (document: unknown) => readConfiguration(JSON.stringify(document), ENTRY_POINTS);

async function order(game: string, version: string) {
  const body = { ctype: 'game', game, version, memoryMiB: 512 };
  const { vmid } = (await alice.call('POST', '/api/instances', { body, headers: WAIT })).body;
  const { edge, ip, ports } = (await alice.call('GET', `/api/servers/${vmid}/status`)).body;
  return { vmid: vmid as number, edge, target: { host: ip as string, port: ports[0] as number } };
}
const isPublished = (client: Client, vmid: number) =>
  until(
    async () => {
      const { body } = await client.call('GET', `/api/servers/${vmid}/status`);
      return body.edge?.state === 'published';
    },
    { what: `${vmid} to be published`, timeoutMs: 20_000 },
  );
const remove = (vmid: number) =>
  alice.call('DELETE', `/api/containers/${vmid}?force=true`, { headers: WAIT });

test('a fleet without routes is an empty document, which Traefik accepts', async () => {
  const answer = await ask();

  expect(answer).toMatchObject({ status: 200, body: {} });
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(routesIn(answer.body)).toEqual({ routes: new Map(), problems: [] });
});

test('leads to every game from its own entry point, and is asked for only once', async () => {
  const [tcp, udp] = [await order('terraria', '1.4.4'), await order('valheim', '0.218')];
  await Promise.all([isPublished(alice, tcp.vmid), isPublished(alice, udp.vmid)]);

  const first = await ask();
  const etag = first.headers.get('etag') ?? '';
  const again = await ask({ 'if-none-match': etag });
  const among = await ask({ 'if-none-match': `"other", W/${etag}` });
  const other = await ask({ 'if-none-match': '"other"' });
  await remove(udp.vmid);
  const changed = await ask({ 'if-none-match': etag });

  expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
  expect(routesIn(first.body)).toEqual({
    routes: new Map([
      ['terraria-7777', [tcp.target]],
      ['valheim-2456', [udp.target]],
    ]),
    problems: [],
  });
  expect([again.status, among.status, other.status]).toEqual([304, 304, 200]);
  expect([again.body, again.headers.get('etag')]).toEqual(['', etag]);
  expect(other.body).toEqual(first.body);
  expect(changed.status).toBe(200);
  expect(changed.headers.get('etag')).not.toBe(etag);
  // No section is left empty: Traefik would refuse the whole document.
  expect(Object.keys(changed.body)).toEqual(['tcp']);
  expect(routesIn(changed.body).problems).toEqual([]);
  await remove(tcp.vmid);
});

test('every answer is kept as a sighting, with what it contains', async () => {
  const REDIS_PREFIX = `${app.environment['REDIS_PREFIX']}alone`;
  await using node = await app.startNode({ ROLE: 'api', REDIS_PREFIX });
  const traefik = createClient(node.url ?? '', TOKEN);
  const sights = sightsAt(REDIS_PREFIX);
  const { rows } = await app.database.pool.query('SELECT last_seq FROM journal_head');
  const before = Date.now();

  const unseen = await sights.latest();
  const full = await traefik.call('GET', PATH);
  const first = await until(() => sights.latest(), { what: 'the first sighting' });
  const headers = { 'if-none-match': full.headers.get('etag') ?? '' };
  const again = await traefik.call('GET', PATH, { headers });
  const second = await until(
    async () => {
      const latest = await sights.latest();
      return latest && latest.at > first.at && latest;
    },
    { what: 'the second sighting' },
  );

  expect([unseen, full.status, again.status]).toEqual([null, 200, 304]);
  expect(first.at).toBeGreaterThanOrEqual(before);
  expect([first.seq, second.seq]).toEqual([Number(rows[0].last_seq), Number(rows[0].last_seq)]);
});

test('Traefik is answered also while Redis cannot keep that it was', async () => {
  await using node = await app.startNode({ ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' });

  const answer = await createClient(node.url ?? '', TOKEN).call('GET', PATH);

  expect(answer.status).toBe(200);
});

describe('is refused', () => {
  test('without its token, also to administrators', async () => {
    for (const token of ['', 'wrong', admin.token]) {
      expect(await ask({}, token)).toMatchObject({
        status: 401,
        body: { error: 'unauthenticated' },
      });
    }
  });

  test('where Traefik is not configured', async () => {
    await using node = await app.startNode({
      ROLE: 'api',
      TRAEFIK_TOKEN: '',
      TRAEFIK_ENTRYPOINTS: '',
    });

    const answer = await createClient(node.url ?? '', TOKEN).call('GET', PATH);

    expect(answer).toMatchObject({ status: 404, body: { error: 'not_found' } });
  });
});

test('a file has the same document, is replaced only if it differs, and counts as asking', async () => {
  const file = join(folder, 'routes.yml');
  await writeFile(file, 'something older');
  await using other = await startTestApp({ environment: { ...TRAEFIK, TRAEFIK_FILE: file } });
  const client = await other.signIn(ALICE);
  const sights = sightsAt(other.environment['REDIS_PREFIX'] ?? '');
  const body = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };

  const created = await client.call('POST', '/api/instances', { body, headers: WAIT });
  await isPublished(client, created.body.vmid);
  const [text, written] = [await readFile(file, 'utf8'), await stat(file)];
  const seenAt = (await sights.latest())?.at ?? 0;
  await until(async () => ((await sights.latest())?.at ?? 0) > seenAt, {
    what: 'the next look',
    timeoutMs: 10_000,
  });
  const asked = await createClient(other.url, TOKEN).call('GET', PATH);

  expect(text).toBe(JSON.stringify(asked.body));
  expect([...routesIn(JSON.parse(text)).routes.keys()]).toEqual(['terraria-7777']);
  expect((await stat(file)).ino).toBe(written.ino);
  expect(await readdir(folder)).toEqual(['routes.yml']);
});
