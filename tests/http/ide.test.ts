import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { failOnWarnings } from '../support/warnings.ts';
import { closed, heard, outcomeOf, type Route, SUFFIX, startIdeWorld } from './ide-world.ts';

failOnWarnings();
const world = await startIdeWorld();
afterAll(() => world[Symbol.asyncDispose]());
const { alice, bob, ask, inside, connect, enter, invite } = world;
const vmid = await world.create(alice);
const others = await world.create(bob);

const ROUTES: readonly [string, Route][] = [
  ['below /__ide/<vmid>/', world.tunnel(vmid)],
  ['at a name of its own', world.hosted(vmid)],
];

describe('a link', () => {
  test('is for whoever may see the container, and for dev containers only', async () => {
    const game = await world.create(alice, { ctype: 'game', game: 'terraria', version: '1.4.4' });
    const tokenOf = (client: typeof alice, id: number) =>
      client.call('POST', `/api/dev/${id}/ide-token`);

    const answer = await tokenOf(alice, vmid);

    expect(answer).toMatchObject({ status: 200, body: { ok: true, expiresIn: 300, vmid } });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body.url).toMatch(new RegExp(`^${world.app.url}/__ide/${vmid}/\\?token=eyJ`));
    expect((await tokenOf(bob, vmid)).status).toBe(404);
    const foreign = await tokenOf(world.admin, vmid);
    expect(foreign.status).toBe(200);
    // Out of the origin in which its visitor opens the board of the queues.
    expect(new URL(foreign.body.url).hostname).toBe(`dev-${vmid}.ide.localhost`);
    expect(await tokenOf(alice, game)).toMatchObject({
      ...{ status: 409, body: { error: 'refused', reason: 'not_a_dev_container' } },
    });
  });

  test.each(ROUTES)('%s becomes a cookie once, and leaves the URL', async (_, route) => {
    const { token } = await invite(alice, vmid);
    const link = `${route.prefix}/a/b?x=1&token=${token}&y=%20`;
    const headers = { host: route.host };

    const first = await ask(link, { headers });
    const second = await ask(link, { headers });

    expect(first).toMatchObject({
      status: 303,
      headers: {
        location: `${route.prefix}/a/b?x=1&y=%20`,
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      },
    });
    expect(first.cookies).toEqual([
      expect.stringMatching(
        new RegExp(
          `^zpack_ide=[\\w-]+\\.[\\w-]+\\.[\\w-]+; Path=${route.prefix}/; Max-Age=3600; HttpOnly; SameSite=Lax$`,
        ),
      ),
    ]);
    expect(second).toMatchObject({ status: 401, cookies: [] });
    // Whoever is in is led to the same place by it all the same, and gets nothing for it.
    const cookie = first.cookies[0]?.split(';')[0] ?? '';
    const again = await ask(link, { headers: { ...headers, cookie } });
    expect(again).toMatchObject({ status: 303, cookies: [] });
  });

  test('is used up by nothing but a person who opens it', async () => {
    const route = world.tunnel(vmid);
    const { token } = await invite(alice, vmid);
    const link = `/__ide/${vmid}/?token=${token}`;
    const own = { host: route.host, origin: `http://${route.host}` };

    const refused = [
      await ask(link, { method: 'HEAD' }),
      await ask(link, { method: 'POST', headers: own }),
      await ask(link, { headers: { 'sec-fetch-mode': 'no-cors' } }),
      await ask(link, { headers: { 'sec-purpose': 'prefetch' } }),
      // A cookie is not a link, and a link is not a cookie.
      await ask(`/__ide/${vmid}/`, { headers: { cookie: `zpack_ide=${token}` } }),
    ];

    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    expect((await ask(`/__ide/${vmid}?token=${token}`)).status).toBe(303);
  });

  test('never leads to another host, whatever its path looks like', async () => {
    const route = world.hosted(vmid);
    for (const path of ['//evil.example/', '/\\evil.example/', '///evil.example/']) {
      const { token } = await invite(alice, vmid);
      const answer = await ask(`${path}?token=${token}`, { headers: { host: route.host } });
      expect(answer.headers.location ?? '/').toMatch(/^\/(?![/\\])/);
    }
  });

  test('of somebody else, or of another container, opens nothing', async () => {
    const { token } = await invite(alice, vmid);
    const cookie = await enter(alice, vmid, world.tunnel(vmid));

    expect((await ask(`/__ide/${others}/?token=${token}`)).status).toBe(404);
    expect((await inside(world.tunnel(others), cookie, '/')).status).toBe(404);
    expect((await inside(world.hosted(others), cookie, '/')).status).toBe(404);
    expect((await ask(`/__ide/${others}/`)).status).toBe(401);
    expect((await ask(`/__ide/${vmid + 500}/`)).status).toBe(401);
    expect((await ask('/__ide/nothing')).status).toBe(404);
    expect((await ask('/__identity')).headers['content-type']).toMatch(/problem/);
  });
});

describe.each(ROUTES)('an IDE %s', (_, route) => {
  test('is a page whose files and WebSocket are below the same place', async () => {
    const cookie = await enter(alice, vmid, route);
    const page = await inside(route, cookie, '/');
    const body = 'x'.repeat(100_000);
    const echo = await inside(route, cookie, '/echo', { method: 'POST', body });
    const socket = connect(route, { cookie });

    expect(page).toMatchObject({ status: 200 });
    expect(page.text).toContain("The lab's IDE");
    expect(echo.text).toBe(body);
    expect(await outcomeOf(socket)).toBe('open');
    const written = heard(socket);
    socket.send('write a.txt hello');
    expect(await written).toBe('written: a.txt');
    expect(readFileSync(join(world.homeOf(vmid), 'a.txt'), 'utf8')).toBe('hello\n');
    socket.close();
  });

  test('hears nothing of ours, and of the client only what it says itself', async () => {
    const cookie = await enter(alice, vmid, route);
    const secrets = {
      cookie: `a=1; ${cookie}; __Host-zpack_ide=x; __Secure-ZPACK_IDE=x; b=2`,
      authorization: `Bearer ${alice.token}`,
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=1.2.3.4',
      'x-real-ip': '1.2.3.4',
      'proxy-authorization': 'Basic eA==',
      connection: 'X-Hop',
      'x-hop': '1',
      'x-own': 'kept',
    };
    // Where the client waits to be asked for its body, no hook of the proxy is called.
    const expecting = { ...secrets, expect: '100-continue', 'content-length': '0' };
    const answers = [
      await inside(route, cookie, '/headers?token=theirs', { headers: secrets }),
      await inside(route, cookie, '/headers', { method: 'PUT', headers: expecting }),
    ];
    const { connection, ...rest } = secrets;
    const socket = connect(route, rest);
    await outcomeOf(socket);
    const said = heard(socket);
    socket.send('headers');
    const seen = answers.map((answer) => JSON.parse(answer.text).headers);
    seen.push(JSON.parse(await said));
    socket.close();

    for (const headers of seen) {
      expect(headers).toMatchObject({
        cookie: 'a=1; b=2',
        host: route.host,
        'x-forwarded-host': route.host,
        'x-forwarded-proto': 'http',
        'x-own': 'kept',
      });
      const names = ['authorization', 'forwarded', 'x-real-ip', 'x-forwarded-for', 'expect'];
      expect(names.filter((name) => name in headers)).toEqual([]);
    }
    expect(seen[0]['x-hop']).toBeUndefined();
    // What bears the name of our parameter and is not ours is what the container wants to know.
    expect(JSON.parse(answers[0]?.text ?? '').url).toBe('/headers?token=theirs');
  });

  test('answers its own pages only', async () => {
    const cookie = await enter(alice, vmid, route);
    const own = { host: route.host, cookie };
    const evil = { ...own, origin: 'http://evil.example' };
    const statusOf = async (method: string, headers: Record<string, string>) =>
      (await ask(`${route.prefix}/headers`, { method, headers })).status;

    expect(await statusOf('POST', evil)).toBe(403);
    expect(await statusOf('POST', own)).toBe(403);
    expect(await statusOf('GET', evil)).toBe(403);
    expect(await statusOf('POST', { ...own, origin: 'null' })).toBe(403);
    expect(await statusOf('OPTIONS', evil)).toBe(403);
    expect(await statusOf('GET', { ...own, 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(
      await statusOf('GET', {
        ...{ ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      }),
    ).toBe(200);
    expect(await outcomeOf(connect(route, { cookie, origin: 'http://evil.example' }))).toBe('403');
    expect(await outcomeOf(connect(route, { cookie, origin: '' }))).toBe('403');
    expect(await outcomeOf(connect(route, {}))).toBe('401');
  });

  test('ends with the session that opened it, WebSockets included', async () => {
    const client = await world.app.signIn('u-alice');
    const cookie = await enter(client, vmid, route);
    const socket = connect(route, { cookie });
    await outcomeOf(socket);
    world.setFaults(vmid, { ide: 'slow_body' });
    const running = inside(route, cookie, '/').then(
      () => 'answered',
      () => 'cut',
    );
    await client.call('POST', '/api/auth/logout');
    const from = performance.now();

    await closed(socket, 5_000);
    expect(await running).toBe('cut');
    world.setFaults(vmid, {});
    expect(performance.now() - from).toBeLessThan(5_000);
    expect((await inside(route, cookie, '/')).status).toBe(401);
  });
});

describe('at a name of an IDE', () => {
  test('nothing of the API answers, and other names are as before', async () => {
    const route = world.hosted(vmid);
    const cookie = await enter(alice, vmid, route);
    const authorization = `Bearer ${alice.token}`;
    const hosts = [`xdev-${vmid}.${SUFFIX}`, `dev-${vmid}.idexlocalhost`, SUFFIX];

    expect((await inside(route, cookie, '/api/health')).status).toBe(404);
    expect((await ask('/api/health', { headers: { host: route.host } })).status).toBe(401);
    expect(
      (await ask('/api/health', { headers: { host: route.host, authorization } })).status,
    ).toBe(401);
    for (const host of hosts) {
      expect((await ask('/api/health', { headers: { host } })).status).toBe(200);
    }
    const spelled = `DEV-${vmid}.${SUFFIX.toUpperCase()}.:80`;
    expect((await ask('/api/health', { headers: { host: spelled } })).status).toBe(401);
  });
});

describe('a container that is off', () => {
  test('has a page that says so and starts it', async () => {
    const route = world.hosted(others);
    const cookie = await enter(bob, others, route);
    await world.power(bob, others, 'stop');
    const accept = { accept: 'text/html' };

    const page = await inside(route, cookie, '/', { headers: accept });
    const forged = await ask('/__zpack/start', {
      ...{ method: 'POST', headers: { host: route.host, cookie, origin: 'http://evil.example' } },
    });
    const started = await inside(route, cookie, '/__zpack/start', { method: 'POST' });

    expect(page.status).toBe(409);
    expect(page.text).toContain('the container is stopped');
    expect(page.text).toContain('<form method="post" action="/__zpack/start">');
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha2/);
    expect(forged.status).toBe(403);
    expect(started).toMatchObject({ status: 303, headers: { location: '/' } });
    await until(async () => (await inside(route, cookie, '/')).status === 200, {
      ...{ what: 'the IDE to answer', timeoutMs: 8_000 },
    });
  });
});

describe('the IDE is started and stopped by its agent', () => {
  test('and a page says that it does not answer', async () => {
    const route = world.tunnel(vmid);
    const cookie = await enter(alice, vmid, route);
    const verb = (name: string) => alice.call('POST', `/api/dev/${vmid}/codeserver/${name}`);

    const stop = await verb('stop');
    const page = await inside(route, cookie, '/', { headers: { accept: 'text/html' } });
    const socket = await outcomeOf(connect(route, { cookie }));
    const restarted = await inside(route, cookie, '/__zpack/restart', { method: 'POST' });
    await until(async () => (await inside(route, cookie, '/')).status === 200, {
      what: 'the IDE to answer again',
    });
    const start = await verb('start');

    expect([stop, start]).toMatchObject([
      { status: 202, body: { ok: true } },
      { status: 202, body: { ok: true } },
    ]);
    expect(page.status).toBe(502);
    expect(page.text).toContain('The IDE does not answer');
    expect(socket).toBe('502');
    expect(restarted.status).toBe(303);
    expect(existsSync(world.homeOf(vmid))).toBe(true);
    expect((await bob.call('POST', `/api/dev/${vmid}/codeserver/stop`)).status).toBe(404);
  });
});
