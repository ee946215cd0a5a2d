import { afterAll, describe, expect, test } from 'vitest';

import { createTokens } from '../../src/http/auth/tokens.ts';
import { ADMIN, ALICE, BOB, type Client } from '../support/app.ts';
import { Refused, type ViewerOptions } from '../support/console-viewer.ts';
import { until } from '../support/until.ts';
import { startConsoleWorld } from './console-world.ts';

const SECRET = 'a secret of the consoles, of thirty-two characters or more';
const ORIGIN = 'https://portal.example';

const t = await startConsoleWorld({ JWT_SECRET: SECRET, CORS_ORIGINS: ORIGIN });
afterAll(() => t[Symbol.asyncDispose]());
const { app } = t;
const [bob, admin] = [await app.signIn(BOB), await app.signIn(ADMIN)];
const tokensOf = (now: () => number) =>
  createTokens({
    ...{ secret: SECRET, oldSecrets: [], issuer: 'zpack', now },
    ...{ accessTtlS: 60, refreshTtlS: 60, ideTtlS: 60, ideCookieTtlS: 60 },
  });

const SUSPENDED = { order: 1, suspendedAt: 1, reason: 'payment_due', wantsRunning: true } as const;

async function ticketOf(client: Client, vmid: number): Promise<string> {
  const { status, body } = await client.call('POST', `/api/servers/${vmid}/console/ticket`);
  if (status !== 201) throw new Error(`no ticket: ${status}`);
  app.keepSecret(body.ticket);
  return body.ticket;
}

async function apiToken(scopes: readonly string[]): Promise<string> {
  const body = { name: 'script', scopes };
  const answer = await t.alice.call('POST', '/api/auth/tokens', { body });
  return answer.body.token;
}

/** What comes of it: what a refusal says, the code that it is closed with, or `open`. */
async function outcomeOf(vmid: number | string, options: ViewerOptions): Promise<string> {
  try {
    const viewer = await t.open(vmid, { token: '', ...options });
    await until(() => viewer.closed() ?? viewer.of('hello')[0], { what: 'an outcome' });
    return String(viewer.closed()?.code ?? 'open');
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return `${error.status} ${error.body.error}`;
  }
}

const sidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid;

const bearer = (make: () => Promise<string> | string) => async () => ({ token: await make() });
const sid = sidOf(t.alice.token);
const NOBODY = '401 unauthenticated';

describe('who opens a console', () => {
  test.each<[string, (vmid: number) => Promise<ViewerOptions>, string]>([
    ['nobody', async () => ({}), NOBODY],
    ['garbage', bearer(() => 'garbage'), NOBODY],
    [
      'an expired token',
      bearer(async () => {
        const past = tokensOf(() => Date.now() - 90_000);
        return (await past.issueAccess({ userId: ALICE, sid })).token;
      }),
      NOBODY,
    ],
    [
      'a token for another audience',
      bearer(async () => {
        const whose = {
          userId: ALICE,
          sid,
          role: 'user',
          vmid: 5_001,
          instanceId: '5001-a',
        } as const;
        return (await tokensOf(Date.now).issueIde({ ...whose, jti: 'once' })).token;
      }),
      NOBODY,
    ],
    ['somebody else', bearer(() => bob.token), '404 not_found'],
    ['the owner', bearer(() => t.alice.token), 'open'],
    ['an administrator', bearer(() => admin.token), 'open'],
    ['an API token that may read', bearer(() => apiToken(['read'])), 'open'],
    ['an API token that may only write', bearer(() => apiToken(['write'])), '403 scope_missing'],
    ['a ticket', async (vmid) => ({ query: { ticket: await ticketOf(t.alice, vmid) } }), 'open'],
    ['a ticket that nobody has made', async () => ({ query: { ticket: 'made-up' } }), NOBODY],
    [
      'a ticket that has been used',
      async (vmid) => {
        const ticket = await ticketOf(t.alice, vmid);
        await t.open(vmid, { query: { ticket } });
        return { query: { ticket } };
      },
      NOBODY,
    ],
    [
      'a ticket for another console',
      async () => ({ query: { ticket: await ticketOf(t.alice, await t.create()) } }),
      NOBODY,
    ],
    [
      'a ticket of somebody who was signed out since',
      async (vmid) => {
        const leaving = await app.signIn(ALICE);
        const ticket = await ticketOf(leaving, vmid);
        await leaving.call('POST', '/api/auth/logout');
        return { query: { ticket } };
      },
      NOBODY,
    ],
    [
      'a page of the Portal',
      async () => ({ token: t.alice.token, headers: { origin: ORIGIN } }),
      'open',
    ],
    [
      'a page of our own address',
      async () => ({ token: t.alice.token, headers: { origin: app.url } }),
      'open',
    ],
    [
      "a page of somebody else's",
      async () => ({ token: t.alice.token, headers: { origin: 'https://evil.example' } }),
      '403 forbidden',
    ],
  ])('%s', async (_, options, expected) => {
    const vmid = await t.create();

    expect(await outcomeOf(vmid, await options(vmid))).toBe(expected);
  });

  test.each(['token', 'access_token', 'authorization'])(
    'nobody by an access token in the address, as %s',
    async (name) => {
      const vmid = await t.create();
      const opening = t.open(vmid, { token: t.alice.token, query: { [name]: t.alice.token } });

      await expect(opening).rejects.toMatchObject({
        status: 400,
        body: { error: 'invalid_input', detail: expect.stringContaining('ticket') },
      });
    },
  );

  test.each<[string, object, string]>([
    ['of a container that is not paid for', { entitlement: SUSPENDED }, '4402'],
    ['of a development container', { ctype: 'dev' }, '409 refused'],
  ])('the owner %s', async (_, more, expected) => {
    const vmid = await t.create();
    const [version] = await t.writer.change([vmid], more);
    await t.seen(vmid, version);

    expect(await outcomeOf(vmid, { token: t.alice.token })).toBe(expected);
  });

  test.each([
    [{ host: 'stopped' }, '4503'],
    [{ provisioning: 'deleting' }, '4410'],
  ])('the owner of one that is %j', async (value, expected) => {
    const vmid = await t.create();
    const [version] = await t.writer.change([vmid], {}, value);
    await t.seen(vmid, version);

    expect(await outcomeOf(vmid, { token: t.alice.token })).toBe(expected);
  });

  test.each(['x', '5', '99999999999'])('nobody under the number %s', async (id) => {
    expect(await outcomeOf(id, { token: t.alice.token })).toBe('400 invalid_input');
  });
});

test('who may only look cannot type', async () => {
  const vmid = await t.create();
  const viewer = await t.open(vmid, { token: await apiToken(['read']) });
  viewer.send({ type: 'command', id: 'c-1', text: 'stop' });
  const ack = await viewer.got('ack');

  expect(ack).toMatchObject({ id: 'c-1', ok: false, error: 'scope_missing' });
  expect(t.agent.commands).toEqual([]);
});

describe.concurrent('an open console is closed', () => {
  test('within 5 seconds when its sign-in is ended on another node, also one by a ticket', async () => {
    await using other = await app.startNode();
    const leaving = await app.signIn(ALICE);
    const vmid = await t.create();
    const query = { ticket: await ticketOf(leaving, vmid) };
    const viewers = [
      await t.open(vmid, { token: leaving.token }, other.url ?? ''),
      await t.open(vmid, { query }, other.url ?? ''),
    ];
    const staying = await t.open(vmid, {}, other.url ?? '');
    await Promise.all(viewers.map((viewer) => viewer.got('hello')));
    const at = performance.now();
    await leaving.call('POST', '/api/auth/logout');
    const closes = await Promise.all(viewers.map((viewer) => viewer.waitClosed()));

    expect(performance.now() - at).toBeLessThan(5_000);
    const expected = { code: 4403, reason: { reason: 'revoked', retryAfterS: null } };
    expect(closes).toEqual([expected, expected]);
    expect(staying.closed()).toBeUndefined();
    // Its node ends, and says so.
    await other[Symbol.asyncDispose]();
    expect(await staying.waitClosed()).toEqual({
      code: 1012,
      reason: { reason: 'shutting_down', retryAfterS: 1 },
    });
  });

  test('when its token ends', async () => {
    const vmid = await t.create();
    const issuedAt = Date.now() - 57_000;
    const { token } = await tokensOf(() => issuedAt).issueAccess({ userId: ALICE, sid });
    const viewer = await t.open(vmid, { token });

    expect(await viewer.waitClosed()).toEqual({
      code: 4401,
      reason: { reason: 'auth_expired', retryAfterS: 0 },
    });
  });

  test('when its container is suspended, and when it is gone', async () => {
    const [unpaid, gone] = [await t.create(), await t.create()];
    const viewers = [await t.open(unpaid), await t.open(gone)];
    await Promise.all(viewers.map((viewer) => viewer.got('hello')));
    await t.writer.change([unpaid], { entitlement: SUSPENDED });
    await t.writer.end(gone);
    const closes = await Promise.all(viewers.map((viewer) => viewer.waitClosed()));

    expect(closes).toEqual([
      { code: 4402, reason: { reason: 'suspended', retryAfterS: null } },
      { code: 4410, reason: { reason: 'deleted', retryAfterS: null } },
    ]);
  });
});
