import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { startRedis } from '../../lab/services/redis.ts';
import { PROBLEMS } from '../../src/http/problem.ts';
import { ALICE, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp();
afterAll(() => app[Symbol.asyncDispose]());
const alice = await app.signIn(ALICE);

describe('health', () => {
  test.each(['/api/health', '/livez', '/readyz'])('%s is ok', async (path) => {
    expect(await app.anonymous.call('GET', path)).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
  });

  test('/readyz names what does not answer, and /livez does not mind', async () => {
    await using stack = new AsyncDisposableStack();
    const dataDir = await mkdtemp(join(tmpdir(), 'zpack-redis-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    const redis = await startRedis({ dataDir, cacheDir: '.cache' });
    const node = stack.use(await app.startNode({ REDIS_URL: redis.url, ROLE: 'api' }));
    const get = (path: string) => fetch(new URL(path, node.url ?? ''));
    const before = await get('/readyz');

    await redis[Symbol.asyncDispose]();

    const after = await until(
      async () => {
        const answer = await get('/readyz');
        return answer.status === 503 && answer;
      },
      { what: 'Redis to be missed' },
    );
    expect(before.status).toBe(200);
    expect(await after.json()).toMatchObject({ error: 'unavailable', failed: ['redis'] });
    expect((await get('/livez')).status).toBe(200);
  });
});

describe('a request that cannot be read', () => {
  test.each([
    ['broken JSON', '{"a":', 400, 'invalid_input'],
    ['a body that is too large', JSON.stringify({ a: 'x'.repeat(200_000) }), 413, 'body_too_large'],
    ['no body', undefined, 400, 'invalid_input'],
  ])('because of %s', async (_, body, status, error) => {
    const answer = await alice.call('POST', '/api/instances', { body });

    expect(answer).toMatchObject({
      status,
      body: { error, status, type: `/docs/problems#${error}` },
    });
  });

  test('because of its path or number', async () => {
    expect((await alice.call('GET', '/api/nowhere')).body).toMatchObject({ error: 'not_found' });
    expect((await alice.call('GET', '/api/servers/abc')).body).toMatchObject({
      error: 'invalid_input',
      errors: [{ field: 'params.id' }],
    });
  });
});

describe('browsers', () => {
  test('may come from the Portal, and from nowhere else', async () => {
    const preflight = (origin: string) =>
      app.anonymous.call('OPTIONS', '/api/instances', {
        headers: { origin, 'access-control-request-method': 'POST' },
      });

    const portal = await preflight('http://localhost:3000');
    const stranger = await preflight('http://evil.example');

    expect(portal.status).toBe(204);
    expect(portal.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(stranger.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('the documentation', () => {
  test('describes every route, and each of its problems is explained', async () => {
    const { body } = await app.anonymous.call('GET', '/api/openapi.json');
    const problems = await app.anonymous.call('GET', '/docs/problems');

    expect(Object.keys(body.paths)).toContain('/api/containers/{vmid}');
    expect(body.paths['/api/instances'].post.responses).toHaveProperty('202');
    expect(JSON.stringify(body)).not.toContain('$defs');
    for (const code of [...Object.keys(PROBLEMS), 'internal_error']) {
      expect(problems.body).toContain(`## ${code}\n`);
    }
  });

  test('is shown at /docs', async () => {
    const page = await app.anonymous.call('GET', '/docs');
    const script = await app.anonymous.call('GET', '/docs/swagger-ui-bundle.js');

    expect(page.body).toContain('<title>ZPack API</title>');
    expect(script.status).toBe(200);
  });
});
