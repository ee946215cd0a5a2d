import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';

import { ALICE } from '../support/app.ts';
import { until } from '../support/until.ts';
import { startHostWorld, WAIT } from './host-world.ts';

const world = await startHostWorld();
const redis = new Redis(inject('redisUrl'));
afterAll(async () => {
  redis.disconnect();
  await world[Symbol.asyncDispose]();
});
const { app, alice, aliceElsewhere, create, power, onProxmox, tasksOf } = world;

describe('an Idempotency-Key', () => {
  test('makes the same request one operation, at any node, also after its end', async () => {
    const vmid = await create();
    const headers = { ...WAIT, 'idempotency-key': `stop-${vmid}` };

    const both = await Promise.all([
      power(alice, vmid, 'stop', headers),
      power(aliceElsewhere, vmid, 'stop', headers),
    ]);
    await power(alice, vmid, 'start');
    const later = await power(aliceElsewhere, vmid, 'stop', headers);

    const ids = [...both, later].map(({ body }) => body.operation.id);
    expect(new Set(ids).size).toBe(1);
    expect(later.headers.get('idempotent-replayed')).toBe('true');
    expect(onProxmox(vmid)?.status).toBe('running');
    expect(await tasksOf(vmid)).toEqual(['vzstart', 'vzshutdown', 'vzstart']);
  });

  test('stands for one request and no other', async () => {
    const [vmid, second] = [await create(), await create()];
    const headers = { ...WAIT, 'idempotency-key': `k-${vmid}` };
    await power(alice, vmid, 'stop', headers);

    for (const reuse of [
      await power(alice, vmid, 'start', headers),
      await power(alice, second, 'stop', headers),
    ]) {
      expect(reuse).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } });
    }
    expect(onProxmox(second)?.status).toBe('running');
  });

  test('makes many clicks at one moment one operation, at one node and at two', async () => {
    const vmid = await create();
    const headers = { 'idempotency-key': `clicks-${vmid}` };

    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        power(i < 5 ? alice : aliceElsewhere, vmid, 'restart', headers),
      ),
    );

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    expect(new Set(answers.map(({ body }) => body.operation.id)).size).toBe(1);
    await alice.call('GET', answers[0]?.headers.get('location') ?? '', { headers: WAIT });
    expect(await tasksOf(vmid)).toEqual(['vzstart', 'vzreboot']);
  });

  test('of a request that changed nothing replays that answer, whatever has changed since', async () => {
    const vmid = await create();
    const headers = { ...WAIT, 'idempotency-key': `start-${vmid}` };

    const first = await power(alice, vmid, 'start', headers);
    await power(alice, vmid, 'stop');
    const later = await power(aliceElsewhere, vmid, 'start', headers);
    const unlike = await power(alice, vmid, 'restart', headers);

    expect(first).toMatchObject({ status: 200, body: { ok: true, result: 'no_change' } });
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(later).toMatchObject({ status: 200, body: first.body });
    expect(later.headers.get('idempotent-replayed')).toBe('true');
    expect(unlike).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } });
    expect(onProxmox(vmid)?.status).toBe('stopped');
  });

  test('of requests that change nothing at the same moment is one answer', async () => {
    const vmid = await create();
    const headers = { 'idempotency-key': `idle-${vmid}` };

    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        power(i % 2 ? alice : aliceElsewhere, vmid, 'start', headers),
      ),
    );

    expect(answers.map(({ status, body }) => [status, body])).toEqual(
      answers.map(() => [200, answers[0]?.body]),
    );
    const replayed = answers.filter(({ headers: had }) => had.get('idempotent-replayed'));
    expect(replayed).toHaveLength(7);
  });

  test('whose answer has been forgotten is not mistaken for a new one', async () => {
    const vmid = await create();
    const headers = { ...WAIT, 'idempotency-key': `old-${vmid}` };
    await power(alice, vmid, 'stop', headers);
    await power(alice, vmid, 'start');
    await app.database.pool.query('DELETE FROM idempotency_key WHERE key = $1', [`old-${vmid}`]);

    const late = await power(alice, vmid, 'stop', headers);

    expect(late).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } });
    expect(onProxmox(vmid)?.status).toBe('running');
  });
});

test('operations are listed with the latest first, in pages, each with its end', async () => {
  const vmid = await create();
  await power(alice, vmid, 'stop');
  await power(alice, vmid, 'start');
  const list = (query = '') => alice.call('GET', `/api/servers/${vmid}/operations${query}`);

  const { body } = await list();
  const first = await list('?limit=2');
  const second = await list(`?limit=2&cursor=${first.body.nextCursor}`);

  const kinds = (page: typeof first) =>
    page.body.operations.map(({ kind }: { kind: string }) => kind);
  expect(body.operations).toMatchObject([
    { kind: 'start', state: 'succeeded', requestedBy: ALICE },
    { kind: 'stop', state: 'succeeded' },
    { kind: 'start', state: 'succeeded' },
    { kind: 'create', state: 'succeeded' },
  ]);
  expect([kinds(first), kinds(second)]).toEqual([
    ['start', 'stop'],
    ['start', 'create'],
  ]);
});

test('an operation is copied to Redis for others, and forgotten there soon after its end', async () => {
  const vmid = await create();
  const { body } = await power(alice, vmid, 'stop');
  const key = `${app.environment['REDIS_MIRROR_PREFIX']}hostop:${vmid}`;

  const copy = await until(
    async () => {
      const found = JSON.parse((await redis.get(key)) ?? 'null');
      return found?.state === 'succeeded' && found;
    },
    { what: 'the copy' },
  );

  expect(copy).toMatchObject({ id: body.operation.id, kind: 'stop' });
  expect(await redis.ttl(key)).toBeLessThanOrEqual(30);
});
