import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import { createNodeSlots } from '../../src/storage/node-slots.ts';
import { until } from '../support/until.ts';

const PER_NODE = 2;

/** Workers of two processes, which know of each other only through Redis. */
function setUp(options: { readonly url?: string } = {}) {
  const url = options.url ?? inject('redisUrl');
  const prefix = `slots-${randomBytes(6).toString('hex')}`;
  const errors: unknown[] = [];
  const connections = [0, 1].map(() => {
    const redis = new Redis(url, {
      maxRetriesPerRequest: null,
      enableOfflineQueue: options.url === undefined,
      retryStrategy: null,
    });
    redis.on('error', () => {});
    return redis;
  });
  const [one, two] = connections.map((redis) =>
    createNodeSlots({ redis, prefix, perNode: PER_NODE, onError: (error) => errors.push(error) }),
  );
  if (!one || !two) throw new Error('two processes');
  let [inside, most] = [0, 0];
  const gate = Promise.withResolvers<void>();
  const act = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await gate.promise;
    inside -= 1;
  };
  return {
    one,
    two,
    errors,
    act,
    open: gate.resolve,
    inside: () => inside,
    most: () => most,
    [Symbol.dispose]: () => {
      for (const redis of connections) redis.disconnect();
    },
  };
}

const calm = () => AbortSignal.timeout(10_000);

test('a node works on so many changes at a time, whichever process asks for them', async () => {
  using t = setUp();
  const many = [0, 1].map((i) => (i % 2 ? t.one : t.two).use('pve1', calm(), t.act));
  await until(() => t.inside() === PER_NODE, { what: 'the places to be taken' });
  const waiting = t.two.use('pve1', calm(), t.act);
  const elsewhere = t.one.use('pve2', calm(), async () => 'at once');

  expect(await elsewhere).toBe('at once');
  t.open();
  await Promise.all([...many, waiting]);
  expect(t.most()).toBe(PER_NODE);
  expect(t.errors).toEqual([]);
});

test('who finds no place in a moment is sent away, to come back later', async () => {
  using t = setUp();
  const held = [t.one, t.two].map((slots) => slots.use('pve1', calm(), t.act));
  await until(() => t.inside() === PER_NODE, { what: 'the places to be taken' });

  const sent = t.one.use('pve1', calm(), t.act);

  await expect(sent).rejects.toMatchObject({ reason: 'node_busy', retryable: true });
  t.open();
  await Promise.all(held);
  expect(t.most()).toBe(PER_NODE);
});

test('who gives up waiting takes no place', async () => {
  using t = setUp();
  const held = [t.one, t.two].map((slots) => slots.use('pve1', calm(), t.act));
  await until(() => t.inside() === PER_NODE, { what: 'the places to be taken' });
  const impatient = new AbortController();
  const waiting = t.one.use('pve1', impatient.signal, t.act);
  impatient.abort(new Error('called off'));

  await expect(waiting).rejects.toThrow('called off');
  t.open();
  await Promise.all(held);
  expect(t.most()).toBe(PER_NODE);
});

test('while Redis is away, power goes on without counting', async () => {
  using t = setUp({ url: 'redis://127.0.0.1:1' });

  expect(await t.one.use('pve1', calm(), async () => 'done')).toBe('done');
  expect(t.errors.length).toBeGreaterThan(0);
});
