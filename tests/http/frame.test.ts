import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { createAuthentication } from '../../src/http/auth/authentication.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../../src/http/endpoint.ts';
import { type AnsweredRequest, createHttpApp, listen } from '../../src/http/server.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { until } from '../support/until.ts';

const answered: AnsweredRequest[] = [];

const base = { summary: '', tag: 'test', problems: [] } as const;
const echo = { 200: z.object({ id: z.string().optional(), body: z.unknown() }) };

/** Answers what it has been given. */
const reading = (path: string, name: string): AnyEndpoint =>
  publicEndpoint({
    ...base,
    operationId: name,
    method: 'get',
    path,
    params: z.object({ id: z.string().optional() }),
    query: z.object({ q: z.string().optional() }),
    body: nothing,
    replies: echo,
    handle: async ({ params: { id }, query: { q } }) => ({
      status: 200,
      body: { ...(id !== undefined && { id }), body: { name, q } },
    }),
  });

const writing = publicEndpoint({
  ...base,
  operationId: 'write',
  method: 'post',
  path: '/things',
  params: nothing,
  query: nothing,
  body: z.unknown(),
  replies: echo,
  handle: async ({ body }) => ({ status: 200, body: { body } }),
});

const listening = await listen(
  createHttpApp({
    endpoints: [
      reading('/things/first', 'first'),
      reading('/things/:id', 'one'),
      reading('/things/:id/parts', 'parts'),
      writing,
    ],
    authenticate: () => Promise.reject(new Error('nobody asks')),
    corsOrigins: [],
    problems: '',
    logger: createLogger('silent'),
    onRequest: (request) => answered.push(request),
  }),
  { host: '127.0.0.1', port: 0 },
);
afterAll(() => listening[Symbol.asyncDispose]());

const get = async (path: string) => {
  const answer = await fetch(listening.url + path);
  return { status: answer.status, body: (await answer.json()) as object };
};

describe('a path', () => {
  test.each([
    ['/things/first', undefined, 'first'],
    ['/things/FIRST', undefined, 'first'],
    ['/Things/first/', undefined, 'first'],
    ['/things/second', 'second', 'one'],
    ['/things/Second', 'Second', 'one'],
    ['/things/a%2Fb%20c', 'a/b c', 'one'],
    ['/things/first/parts', 'first', 'parts'],
    ['/things/first/parts/', 'first', 'parts'],
  ])('%s finds its route, however it is written', async (path, id, name) => {
    const { status, body } = await get(`${path}?q=1`);

    expect({ status, body }).toEqual({
      status: 200,
      body: { ...(id !== undefined && { id }), body: { name, q: '1' } },
    });
  });

  test.each(['/', '/things//parts', '/things/a/b', '/things/first/parts/c', '/thing'])(
    '%s that no route has is not found',
    async (path) => {
      expect(await get(path)).toMatchObject({ status: 404, body: { error: 'not_found' } });
    },
  );

  test('is counted by its pattern', async () => {
    answered.length = 0;

    await get('/things/a/parts');
    await get('/things/A/parts');
    await get('/nowhere');

    const routes = await until(() => answered.length === 3 && answered.map(({ route }) => route), {
      what: 'three requests to be counted',
    });
    expect(routes).toEqual(['/things/:id/parts', '/things/:id/parts', 'unmatched']);
  });

  test('answers HEAD as GET, and OPTIONS with what it knows', async () => {
    const call = (method: string) => fetch(`${listening.url}/things/first`, { method });

    expect((await call('HEAD')).status).toBe(200);
    expect((await call('OPTIONS')).headers.get('allow')).toContain('GET');
    expect((await call('POST')).status).toBe(404);
  });

  test('is answered under an id that no other request has', async () => {
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () =>
        (await fetch(listening.url)).headers.get('x-request-id'),
      ),
    );

    expect(new Set(ids).size).toBe(5);
  });
});

const JSON_TYPE = 'application/json';
const post = async (body: string | Buffer, headers: Readonly<Record<string, string>>) => {
  const answer = await fetch(`${listening.url}/things`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers,
  });
  return { status: answer.status, body: (await answer.json()) as object };
};

describe('a body', () => {
  const text = '{"a":"ü"}';

  test.each([
    ['of the usual kind', text, { 'content-type': JSON_TYPE }],
    ['that names its charset', text, { 'content-type': 'application/json; charset=utf-8' }],
    ['that names it otherwise', text, { 'content-type': 'Application/JSON;charset="UTF-8"' }],
    ['with a byte order mark', `\uFEFF${text}`, { 'content-type': JSON_TYPE }],
    [
      'that is compressed',
      gzipSync(text),
      { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' },
    ],
    [
      'in UTF-16',
      Buffer.from(text, 'utf16le'),
      { 'content-type': 'application/json; charset=utf-16le' },
    ],
  ])('%s is read', async (_, body, headers) => {
    expect(await post(body, headers)).toEqual({ status: 200, body: { body: { a: 'ü' } } });
  });

  test('in many pieces is read', async () => {
    const long = { a: 'ü'.repeat(40_000) };

    expect((await post(JSON.stringify(long), { 'content-type': JSON_TYPE })).body).toEqual({
      body: long,
    });
  });

  test('that is empty, or not JSON, counts as none', async () => {
    expect((await post('', { 'content-type': JSON_TYPE })).body).toEqual({ body: {} });
    expect((await post(text, { 'content-type': 'text/plain' })).body).toEqual({ body: {} });
  });

  test.each(['{"a":', '1', 'null', '"a"', 'nonsense'])('%s is refused', async (body) => {
    const usual = await post(body, { 'content-type': JSON_TYPE });
    const unusual = await post(body, { 'content-type': 'application/json;charset=UTF-8' });

    expect(usual).toMatchObject({ status: 400, body: { error: 'invalid_input' } });
    expect({ ...unusual.body, instance: '' }).toEqual({ ...usual.body, instance: '' });
  });

  test('that is too large is refused', async () => {
    const answer = await post(`"${'x'.repeat(100 * 1024)}"`, { 'content-type': JSON_TYPE });

    expect(answer).toMatchObject({ status: 413, body: { error: 'body_too_large' } });
  });

  test('whose client goes away before its end is the mistake of nobody here', async () => {
    answered.length = 0;
    const { hostname, port } = new URL(listening.url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket.resume(), 'connect');

    socket.end(
      `POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: 9\r\n\r\n{"a"`,
    );
    await once(socket, 'close');

    expect((await post(text, { 'content-type': JSON_TYPE })).status).toBe(200);
    expect(answered.filter(({ status }) => status >= 500)).toEqual([]);
  });
});

test('a verified token is believed until its end and not a moment longer', async () => {
  const clock = { ms: 1_000_000 };
  const tokens = createTokens({
    ...{ secret: 'x'.repeat(32), oldSecrets: [], issuer: 'test', now: () => clock.ms },
    ...{ accessTtlS: 3, refreshTtlS: 3, ideTtlS: 3, ideCookieTtlS: 3 },
  });
  const { authenticate } = createAuthentication({
    tokens,
    sessions: { findRole: async () => 'user' },
    apiTokens: { find: async () => null },
    now: () => clock.ms,
  });
  const { token } = await tokens.issueAccess({ userId: 'u-1', sid: 's-1' });
  const ask = () => authenticate(`Bearer ${token}`);

  expect(await ask()).toMatchObject({ userId: 'u-1' });
  clock.ms += 2_999;
  expect(await ask()).toMatchObject({ userId: 'u-1' });
  clock.ms += 1;

  await expect(ask()).rejects.toMatchObject({ code: 'unauthenticated' });
});
