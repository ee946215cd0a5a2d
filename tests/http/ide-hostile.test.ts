import { connect as dial } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterAll, afterEach, describe, expect, test } from 'vitest';

import type { IdeHostility } from '../../lab/agent/ide-hostilities.ts';
import { until } from '../support/until.ts';
import { failOnWarnings } from '../support/warnings.ts';
import {
  type Answered,
  acceptOf,
  closed,
  handshakeKey,
  heard,
  outcomeOf,
  startIdeWorld,
} from './ide-world.ts';

const LATE_MS = 600;
const MAX = 320;
const warnings = failOnWarnings();
const world = await startIdeWorld({
  environment: {
    IDE_ANSWER_TIMEOUT_MS: String(LATE_MS),
    IDE_IDLE_TIMEOUT_MS: String(2 * LATE_MS),
    IDE_CONNECTIONS_MAX: String(MAX),
    IDE_COOKIE_SECURE: 'false',
  },
});
afterAll(() => world[Symbol.asyncDispose]());
const { alice, bob, inside, connect, enter } = world;
// What it sets reaches no log, though errors of the proxy hold it.
world.app.keepSecret('zpack_ide=stolen');
const hostile = await world.create(alice);
const harmless = await world.create(bob);
const ROUTES = [world.tunnel(hostile), world.hosted(hostile)] as const;
const cookies = [await enter(alice, hostile, ROUTES[0]), await enter(alice, hostile, ROUTES[1])];
const [tunnel] = ROUTES;
const [cookie = ''] = cookies;
const theirs = world.tunnel(harmless);
const theirCookie = await enter(bob, harmless, theirs);

/** Whatever went on, it is over, has fired, and nobody else has noticed. */
async function isOver(way: IdeHostility): Promise<void> {
  expect(world.fired(hostile)).toContain(`${way} ide`);
  world.setFaults(hostile, {});
  await until(async () => (await world.connections()) === 0, { what: 'all of it to be over' });
  expect((await inside(theirs, theirCookie, '/')).status).toBe(200);
  expect((await inside(tunnel, cookie, '/')).status).toBe(200);
}
afterEach(() => world.setFaults(hostile, {}));

const get = (way: IdeHostility, path = '/'): Promise<readonly Answered[]> => {
  world.setFaults(hostile, { ide: way });
  return Promise.all(ROUTES.map((route, at) => inside(route, cookies[at] ?? '', path)));
};

describe('a hostile container', () => {
  test('sets none of our cookies, and speaks for nothing but itself', async () => {
    const answers = await get('cookies');

    expect(answers.map(({ cookies: set }) => set)).toEqual([
      [`theirs=1; HttpOnly; Path=/__ide/${hostile}/`],
      ['theirs=1; Path=/; HttpOnly'],
    ]);
    for (const { status, headers } of answers) {
      expect(status).toBe(200);
      const names = ['clear-site-data', 'strict-transport-security', 'nel', 'report-to', 'alt-svc'];
      const more = ['www-authenticate', 'access-control-allow-origin', 'x-secret'];
      expect([...names, ...more].filter((name) => name in headers)).toEqual([]);
      expect(headers['content-security-policy']).toBe(
        "frame-ancestors 'self' http://localhost:3000",
      );
      expect(JSON.stringify(headers)).not.toContain('stolen');
    }
    expect(answers[0]?.headers['service-worker-allowed']).toBe(`/__ide/${hostile}/`);
    await isOver('cookies');
  });

  test('leads to its own places where the browser finds them, and takes nothing elsewhere', async () => {
    const own = await get('redirect');
    const away = await get('redirect', '/away');

    expect(own.map(({ headers }) => headers.location)).toEqual([
      `/__ide/${hostile}/inside?x=1`,
      '/inside?x=1',
    ]);
    expect(away.map(({ headers }) => headers.location)).toEqual([
      'https://evil.example/',
      'https://evil.example/',
    ]);
    await isOver('redirect');
  });

  test.each<[IdeHostility, string]>([
    ['huge_headers', 'answer_too_large'],
    ['garbage', 'answer_unreadable'],
    // It agrees to what nobody has asked for.
    ['upgrade_cookies', 'answer_unreadable'],
    ['silent', 'timed_out'],
    ['slow_headers', 'timed_out'],
  ])('that answers with %s is a failure of its own (%s)', async (way, reason) => {
    const from = performance.now();
    const answers = await get(way);

    for (const { status, text: body } of answers) {
      expect(status).toBe(502);
      expect(JSON.parse(body)).toMatchObject({ error: 'upstream_failed', reason });
    }
    expect(performance.now() - from).toBeLessThan(LATE_MS + 1_500);
    await isOver(way);
  });

  test('that cuts its answer never looks whole, and says nothing to the next', async () => {
    await expect(get('cut')).rejects.toThrow('aborted');
    await isOver('cut');
    const twice = await get('twice');
    expect(twice.map(({ text: body }) => body)).toEqual(['1', '1']);
    await isOver('twice');
  });

  test('that drips ends with the client', async () => {
    world.setFaults(hostile, { ide: 'slow_body' });
    const giving = dial(Number(new URL(world.app.url).port), '127.0.0.1');
    giving.write(
      `GET ${tunnel.prefix}/ HTTP/1.1\r\nHost: ${tunnel.host}\r\nCookie: ${cookie}\r\n\r\n`,
    );
    await until(async () => (await world.connections()) === 1, { what: 'it to be on its way' });
    giving.destroy();
    await isOver('slow_body');
  });
});

describe('a hostile container that is asked for a WebSocket', () => {
  test.each<[IdeHostility, string]>([
    ['cookies', '200'],
    ['redirect', '302'],
    ['wrong_accept', '502'],
    ['garbage', '502'],
    ['huge_headers', '502'],
    ['silent', '502'],
    ['slow_headers', '502'],
  ])('and answers with %s opens none (%s)', async (way, status) => {
    world.setFaults(hostile, { ide: way });
    const sockets = ROUTES.map((route, at) => connect(route, { cookie: cookies[at] ?? '' }));

    const outcomes = await Promise.all(sockets.map(outcomeOf));

    expect(outcomes).toEqual([status, status]);
    for (const socket of sockets) socket.terminate();
    await isOver(way);
  });

  test('sets no cookie of ours with it', async () => {
    world.setFaults(hostile, { ide: 'upgrade_cookies' });
    const key = handshakeKey();
    const socket = dial(Number(new URL(world.app.url).port), '127.0.0.1');
    socket.write(
      [
        ...[`GET ${tunnel.prefix}/terminal HTTP/1.1`, `Host: ${tunnel.host}`],
        ...[`Origin: http://${tunnel.host}`, `Cookie: ${cookie}`, 'Connection: Upgrade'],
        ...['Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`],
        ...['', ''],
      ].join('\r\n'),
    );
    const said = text(socket);
    await until(async () => (await world.connections()) === 1, { what: 'it to be open' });
    await alice.call('POST', `/api/dev/${hostile}/codeserver/stop`);
    const head = await said;
    world.setFaults(hostile, {});
    await alice.call('POST', `/api/dev/${hostile}/codeserver/start`);

    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).toContain(acceptOf(key));
    expect(head).not.toMatch(/stolen|clear-site-data|strict-transport|x-secret/i);
    await until(async () => (await inside(tunnel, cookie, '/')).status !== 502, {
      what: 'the IDE to be back',
    });
    await isOver('upgrade_cookies');
  });
});

describe('many at a time', () => {
  test('one container that holds all it may is full, and no other notices', async () => {
    world.setFaults(hostile, { ide: 'slow_body' });
    const stop = new AbortController();
    const open = async () => {
      const { port } = new URL(world.app.url);
      const response = await fetch(`http://127.0.0.1:${port}${tunnel.prefix}/`, {
        ...{ headers: { cookie }, signal: stop.signal },
      });
      return response.status;
    };
    const statuses = await Promise.all(Array.from({ length: MAX + 10 }, open));

    expect(statuses.filter((status) => status === 200)).toHaveLength(MAX);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
    expect((await inside(theirs, theirCookie, '/')).status).toBe(200);
    stop.abort();
    await isOver('slow_body');
  });

  test('300 WebSockets, and 320 requests on a few connections, leave no listener behind', async () => {
    const sockets = Array.from({ length: 300 }, () => connect(theirs, { cookie: theirCookie }));
    expect(new Set(await Promise.all(sockets.map(outcomeOf)))).toEqual(new Set(['open']));
    const echoes = sockets.map(heard);
    for (const [at, socket] of sockets.entries()) socket.send(`line ${at}`);
    expect(await Promise.all(echoes)).toEqual(sockets.map((_, at) => `line ${at}`));

    // Kept alive: what is left on a connection by one request is found by the next.
    const statuses = new Set<number>();
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let round = 0; round < 40; round += 1) {
          const { port } = new URL(world.app.url);
          const response = await fetch(`http://127.0.0.1:${port}${theirs.prefix}/headers`, {
            headers: { cookie: theirCookie },
          });
          await response.arrayBuffer();
          statuses.add(response.status);
        }
      }),
    );

    expect(statuses).toEqual(new Set([200]));
    for (const socket of sockets) socket.close();
    await Promise.all(sockets.map((socket) => closed(socket, 2_000)));
    await until(async () => (await world.connections()) === 0, { what: 'nothing to be open' });
    expect(warnings).toEqual([]);
  });
});
