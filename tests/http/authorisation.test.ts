import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { listEndpoints } from '../../scripts/generate/endpoints.ts';
import { createAuthentication } from '../../src/http/auth/authentication.ts';
import { type AnyEndpoint, endpoint, nothing } from '../../src/http/endpoint.ts';
import { vmidParam } from '../../src/http/routes/servers.ts';
import { createHttpApp, listen } from '../../src/http/server.ts';
import { createApiTokens } from '../../src/storage/api-tokens.ts';
import { createSessions } from '../../src/storage/sessions.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { ADMIN, BOB, createClient } from '../support/app.ts';
import { createCallers } from './authorisation-callers.ts';
import { askAll, differences, pathOf, unmatched } from './authorisation-matrix.ts';
import { type Row, TABLE } from './authorisation-table.ts';
import { startAuthorisationWorld } from './authorisation-world.ts';

const world = await startAuthorisationWorld();
afterAll(() => world[Symbol.asyncDispose]());
const { app } = world;
const endpoints = await listEndpoints();
const { callers, forgedFrom } = await createCallers(world);

test('every route has a row, every row a route, and this node serves all of them', async () => {
  const { body } = await app.anonymous.call('GET', '/api/openapi.json');
  const served = Object.values<Record<string, { operationId: string }>>(body.paths)
    .flatMap((methods) => Object.values(methods))
    .map(({ operationId }) => operationId);

  expect(unmatched(endpoints, TABLE)).toEqual([]);
  expect(served.sort()).toEqual(Object.keys(TABLE).sort());
});

test('each route answers each caller as its row says', { timeout: 40_000 }, async () => {
  // So that there is a report to be read, and that it is about nothing that others leave.
  const admin = await app.signIn(ADMIN);
  await admin.call('POST', '/api/admin/reconcile', { headers: { prefer: 'wait=20' } });

  const cells = await askAll(endpoints, { world, callers, table: TABLE, url: app.url });

  expect(differences(cells)).toEqual([]);
  expect(cells).toHaveLength(endpoints.length * callers.length);
  expect(await world.isUntouched('session', forgedFrom)).toBe(true);
});

test("somebody else's container answers like none at all, in every word", async () => {
  const bob = createClient(app.url, (await world.openSession(BOB)).accessToken);
  const routes = endpoints.filter(({ operationId }) => TABLE[operationId]?.access === 'own');
  const missing = '99999';
  for (const { operationId, method, path } of routes) {
    const { target, body } = TABLE[operationId] as Row;
    const vmid = await world.make(target, 'owner');
    const ask = async (id: string) => {
      const request = body && { body: body(id) };
      const answer = await bob.call(method.toUpperCase(), pathOf(path, id), request);
      const text = JSON.stringify({ ...answer.body, instance: '' });
      return `${operationId} ${answer.status} ${text.replaceAll(id, 'X')}`;
    };

    expect(await ask(vmid)).toBe(await ask(missing));
  }
  expect(routes.length).toBeGreaterThan(15);
});

/** It forgets to ask whose the container is. */
const planted = endpoint({
  ...{ operationId: 'plant', summary: 'Planted', tag: 'servers', method: 'get' },
  ...{ path: '/api/servers/:id/plant', params: z.object({ id: vmidParam }), query: nothing },
  ...{ body: nothing, replies: { 200: nothing }, problems: [] },
  handle: async () => ({ status: 200, body: {} }),
});

/** A server of such endpoints, where the credentials of the world are worth as much. */
async function serve(planting: readonly AnyEndpoint[]) {
  const { authenticate } = createAuthentication({
    ...{ tokens: world.tokens, sessions: createSessions(app.database), now: Date.now },
    apiTokens: createApiTokens(app.database),
  });
  const served = createHttpApp({
    ...{ endpoints: planting, authenticate, corsOrigins: [], problems: '' },
    logger: createLogger('silent'),
  });
  return listen(served, { host: '127.0.0.1', port: 0 });
}

describe('the matrix', () => {
  const row: Row = { access: 'own', target: 'running', done: '200' };
  const route = 'plant GET /api/servers/:id/plant';

  test('misses the row of an endpoint that is new, and the route of one that is gone', () => {
    expect(unmatched([...endpoints, planted], TABLE)).toEqual([
      'plant (get /api/servers/:id/plant) has no row',
    ]);
    expect(unmatched(endpoints, { ...TABLE, gone: row })).toEqual(['gone has no route']);
  });

  test('shows an endpoint that forgets to ask whose the container is', async () => {
    await using server = await serve([planted]);
    const { url } = server;

    const cells = await askAll([planted], { world, callers, table: { plant: row }, url });

    expect(differences(cells)).toEqual(
      ['other', 'other, by a token for read and write', 'admin, by a token for read and write'].map(
        (who) => `${route} | ${who} | expected 404 not_found | got 200`,
      ),
    );
  });

  test.each<[string, Partial<AnyEndpoint>, Row, string]>([
    ['that asks for no token', { isPublic: true }, row, 'nobody | expected 401 unauthenticated'],
    [
      'that no API token is for, and that takes one',
      ...([{}, { ...row, access: 'session_only' } as const] as const),
      'owner, by a token for read | expected 403 scope_missing',
    ],
    [
      'for administrators that takes everybody',
      ...([{}, { ...row, access: 'admin' } as const] as const),
      'other | expected 403 forbidden',
    ],
  ])('shows an endpoint %s', async (_, mistake, wanted, expected) => {
    const wrong = { ...planted, ...mistake };
    await using server = await serve([wrong]);
    const { url } = server;

    const cells = await askAll([wrong], { world, callers, table: { plant: wanted }, url });

    expect(differences(cells)).toContain(`${route} | ${expected} | got 200`);
  });
});
