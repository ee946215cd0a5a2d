import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import { UnavailableError } from '../../src/errors.ts';
import { createEdgeHealthReports } from '../../src/storage/edge-health.ts';
import { createRouterSights } from '../../src/storage/router-sights.ts';
import { createTestDatabase } from '../support/database.ts';
import { createToys } from '../support/toy.ts';

const AWAY = 'redis://127.0.0.1:1';

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  await createToys(database, [5001, 5002]);
  const prefix = `sights-${randomBytes(6).toString('hex')}`;
  const connections: Redis[] = [];
  opened.defer(() => {
    for (const one of connections) one.disconnect();
  });
  const keep = (redis: Redis) => {
    redis.on('error', () => {});
    connections.push(redis);
    return redis;
  };
  const connect = () => keep(new Redis(inject('redisUrl')));
  const impatient = () =>
    keep(new Redis(AWAY, { maxRetriesPerRequest: 0, retryStrategy: () => null }));
  const sightsOf = (redis: Redis) => createRouterSights({ redis, prefix, pool: database.pool });
  const closing = opened.move();
  return {
    database,
    prefix,
    redis: connect(),
    connect: () => sightsOf(connect()),
    away: () => sightsOf(impatient()),
    awayHealth: () => createEdgeHealthReports(impatient(), prefix),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

test('what Traefik was given last is known to every node, until Redis loses it', async () => {
  await using t = await setUp();
  const [one, two] = [t.connect(), t.connect()];
  const before = [await two.latest(), await two.servedUpTo()];

  await one.save({ seq: 7, at: 1_000 });
  await two.save({ seq: 9, at: 2_000 });
  const between = [await one.latest(), await one.servedUpTo()];
  await t.redis.del(`${t.prefix}:router:1`);

  expect(before).toEqual([null, null]);
  expect(between).toEqual([{ seq: 9, at: 2_000 }, 9]);
  expect(await one.servedUpTo()).toBeNull();
});

test('it is what Traefik has, also if a node that is behind answered it last', async () => {
  await using t = await setUp();
  const [one, two] = [t.connect(), t.connect()];

  await one.save({ seq: 9, at: 1_000 });
  await two.save({ seq: 7, at: 1_001 });

  expect(await one.servedUpTo()).toBe(7);
});

test('the latest step is the instance’s own; what never lived has none', async () => {
  await using t = await setUp();
  const { rows } = await t.database.pool.query('SELECT instance_id, seq FROM journal ORDER BY seq');
  const sights = t.connect();

  const steps = await Promise.all(['5001-toy', '5002-toy', '5003-toy'].map(sights.latestStep));

  expect(steps).toEqual([Number(rows[0].seq), Number(rows[1].seq), 0]);
  expect(rows.map(({ instance_id }) => instance_id)).toEqual(['5001-toy', '5002-toy']);
});

test('while Redis is away, both reports are unavailable, and the journal is not', async () => {
  await using t = await setUp();
  const [sights, health] = [t.away(), t.awayHealth()];

  for (const call of [
    () => sights.save({ seq: 1, at: 1 }),
    () => sights.latest(),
    () => sights.servedUpTo(),
    () => health.save({ parties: [] }),
    () => health.latest(),
  ])
    await expect(call()).rejects.toBeInstanceOf(UnavailableError);
  expect(await sights.latestStep('5001-toy')).toBeGreaterThan(0);
});
