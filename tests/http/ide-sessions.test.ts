import { afterAll, describe, expect, test } from 'vitest';

import { BOB, createClient } from '../support/app.ts';
import { until } from '../support/until.ts';
import { failOnWarnings } from '../support/warnings.ts';
import { closed, outcomeOf, type Route, SUFFIX, startIdeWorld } from './ide-world.ts';

failOnWarnings();
const world = await startIdeWorld();
const secure = await world.app.startNode({
  ...{ PUBLIC_URL: 'https://zpack.example', DEV_IDE_RETURN_HOSTED_URL: 'true' },
  IDE_COOKIE_TTL_S: '2',
});
afterAll(async () => {
  await secure[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});
const { alice, bob, admin, ask, inside, connect, enter, tunnel } = world;
const vmid = await world.create(bob);
const { port } = new URL(secure.url ?? '');
/** As the proxy in front of that node, which speaks https, asks it. */
const elsewhere: Route = { prefix: '', host: `dev-${vmid}.${SUFFIX}`, port };
const origin = `https://${elsewhere.host}`;

describe('where browsers come by https', () => {
  test('a link leads there, and its cookie goes nowhere else', async () => {
    const client = createClient(secure.url ?? '', bob.token);
    const { body } = await client.call('POST', `/api/dev/${vmid}/ide-token`);
    world.app.keepSecret(body.token);
    const url = new URL(body.url);
    const { host } = elsewhere;

    const answer = await ask(`${url.pathname}${url.search}`, { port, headers: { host } });

    expect(url.origin).toBe(origin);
    expect(answer.cookies).toEqual([
      expect.stringMatching(
        /^__Host-zpack_ide=\S+; Path=\/; Max-Age=2; HttpOnly; SameSite=Lax; Secure$/,
      ),
    ]);
    const cookie = answer.cookies[0]?.split(';')[0] ?? '';
    world.app.keepSecret(cookie.slice(cookie.indexOf('=') + 1));
    const plain = cookie.replace('__Host-', '');
    expect((await inside(elsewhere, cookie, '/', { headers: { origin } })).status).toBe(200);
    expect((await inside(elsewhere, cookie, '/')).status).toBe(403);
    expect((await inside(elsewhere, plain, '/', { headers: { origin } })).status).toBe(401);
  });

  test('a cookie that is used is renewed before it ends, and one that is not ends', async () => {
    const first = await enter(bob, vmid, elsewhere);
    const renewed = await until(
      async () => {
        const { status, cookies } = await inside(elsewhere, first, '/', { headers: { origin } });
        if (status !== 200) throw new Error(`it has ended: ${status}`);
        return cookies[0]?.split(';')[0];
      },
      { what: 'a new cookie' },
    );
    world.app.keepSecret(renewed.slice(renewed.indexOf('=') + 1));

    expect(renewed).not.toBe(first);
    await until(
      async () => (await inside(elsewhere, first, '/', { headers: { origin } })).status === 401,
      { what: 'the first one to end' },
    );
    expect((await inside(elsewhere, renewed, '/', { headers: { origin } })).status).toBe(200);
  });

  test('a link that was used at one node is used at all of them', async () => {
    const { token } = await world.invite(bob, vmid);
    const { host } = elsewhere;

    const answers = [
      await ask(`/?token=${token}`, { port, headers: { host } }),
      await ask(`/__ide/${vmid}/?token=${token}`),
    ];

    expect(answers.map(({ status }) => status)).toEqual([303, 401]);
  });
});

/** Both ways, open at both nodes. */
async function openBoth(client: typeof alice) {
  const here = tunnel(vmid);
  const cookies = [await enter(client, vmid, here), await enter(client, vmid, elsewhere)] as const;
  const sockets = [
    connect(here, { cookie: cookies[0] }),
    connect(elsewhere, { cookie: cookies[1], origin }),
  ];
  expect(await Promise.all(sockets.map(outcomeOf))).toEqual(['open', 'open']);
  return {
    /** Both are closed, and answer so at both nodes, in the time that was promised. */
    async endsWith(expected: number): Promise<void> {
      const from = performance.now();
      await Promise.all(sockets.map((socket) => closed(socket, 5_000)));
      const ask = () =>
        Promise.all([
          inside(here, cookies[0], '/'),
          inside(elsewhere, cookies[1], '/', { headers: { origin } }),
        ]);
      // What has ended its container may be news that a node has not heard yet.
      await until(async () => (await ask()).every(({ status }) => status === expected), {
        what: `${expected} at both nodes`,
        timeoutMs: 5_000,
      });
      expect(performance.now() - from).toBeLessThan(5_000);
    },
  };
}

describe('an IDE ends, at every node,', () => {
  test.concurrent('when the sign-in that opened it ends', async () => {
    const client = await world.app.signIn(BOB);
    const { endsWith } = await openBoth(client);
    await client.call('POST', '/api/auth/logout');

    await endsWith(401);
  });

  test.concurrent('when the API token that opened it is revoked', async () => {
    const order = { name: 'ide', scopes: ['read', 'write'] };
    const { body } = await bob.call('POST', '/api/auth/tokens', { body: order });
    const { endsWith } = await openBoth(createClient(world.app.url, body.token));
    const { status } = await bob.call('DELETE', `/api/auth/tokens/${body.apiToken.id}`);
    expect(status).toBe(200);

    await endsWith(401);
  });

  test('when whoever opened it has another role', async () => {
    await admin.call('PATCH', '/api/admin/users/u-alice', { body: { role: 'admin' } });
    const promoted = await world.app.signIn('u-alice');
    const { endsWith } = await openBoth(promoted);
    await admin.call('PATCH', '/api/admin/users/u-alice', { body: { role: 'user' } });

    await endsWith(401);
    expect((await alice.call('POST', `/api/dev/${vmid}/ide-token`)).status).toBe(404);
  });

  test('when that node ends, which does not wait for it', async () => {
    const node = await world.app.startNode({ SHUTDOWN_GRACE_MS: '60000' });
    const route = { ...tunnel(vmid), port: new URL(node.url ?? '').port };
    const cookie = await enter(bob, vmid, route);
    const socket = connect(route, { cookie });
    expect(await outcomeOf(socket)).toBe('open');

    await Promise.all([node[Symbol.asyncDispose](), closed(socket, 5_000)]);
  });

  test('when the container is deleted', async () => {
    const { endsWith } = await openBoth(bob);
    const { status } = await bob.call('DELETE', `/api/containers/${vmid}?force=true`, {
      headers: { prefer: 'wait=20' },
    });
    expect(status).toBe(200);

    await endsWith(404);
  });
});
