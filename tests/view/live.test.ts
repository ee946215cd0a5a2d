import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import { createLiveFeed } from '../../src/storage/live-feed.ts';
import { createLive, type LiveNews } from '../../src/view/live.ts';
import { until } from '../support/until.ts';

const agent = { seenAt: 1_000, askedAt: 1_000, condition: 'ready', players: 3, uptimeSeconds: 60 };
const host = { observedAt: 1_000, cpu: 0.5, mem: 1, maxmem: 2, disk: 3, uptime: 60 };

function setUp() {
  const opened = new DisposableStack();
  const connect = () => {
    const redis = new Redis(inject('redisUrl'));
    opened.defer(() => redis.disconnect());
    return redis;
  };
  const [publisher, subscriber] = [connect(), connect()];
  const prefix = `live-${randomBytes(6).toString('hex')}`;
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const feed = createLiveFeed({ publisher, subscriber, prefix, onError });
  return { feed, publisher, prefix, errors, [Symbol.dispose]: () => opened.dispose() };
}

test('what is published is heard, and kept for a node that starts later', async () => {
  using t = setUp();
  const heard: LiveNews[] = [];
  t.feed.subscribe((news) => heard.push(news));

  await until(
    () => {
      t.feed.publish({ agents: [[5001, agent]], hosts: [[5002, host]] });
      return heard.length > 0;
    },
    { what: 'live numbers' },
  );
  const kept = await t.feed.load([5001, 5002, 5003]);

  expect(heard[0]).toEqual({ agents: [[5001, agent]], hosts: [[5002, host]] });
  expect(kept).toEqual(heard[0]);
  expect(await t.publisher.pttl(`${t.prefix}:agent:5001`)).toBeGreaterThan(50_000);
  expect(t.errors).toEqual([]);
});

test('what is not understood is left out, and the rest is taken', async () => {
  using t = setUp();
  const heard: LiveNews[] = [];
  t.feed.subscribe((news) => heard.push(news));
  const garbage = [
    'not JSON',
    '[]',
    'null',
    '{"agents":{"5001":1},"hosts":[5001,[5002],["5003",{"observedAt":1}],[5004,{"cpu":1}]]}',
  ];

  await until(
    async () => {
      for (const text of garbage) await t.publisher.publish(`${t.prefix}:live`, text);
      await t.publisher.publish(
        `${t.prefix}:live`,
        JSON.stringify({ hosts: [[5001, { observedAt: 5, cpu: 'much', extra: {} }]] }),
      );
      return heard.some(({ hosts }) => hosts.length > 0);
    },
    { what: 'the one good message' },
  );

  const numbers = { observedAt: 5, cpu: null, mem: null, maxmem: null, disk: null, uptime: null };
  const taken = heard.flatMap(({ hosts, agents }) => [...hosts, ...agents]);
  expect(taken.every((one) => JSON.stringify(one) === JSON.stringify([5001, numbers]))).toBe(true);
  expect(t.errors).toEqual([]);
});

test('numbers are unknown after a minute, but when they were seen is not', () => {
  const live = createLive();
  live.take({ agents: [[5001, agent]], hosts: [[5001, host]] });
  live.take({ agents: [[5001, { ...agent, askedAt: 500, players: 9 }]], hosts: [] });

  const at = (now: number) => live.of(5001, { bornAt: 0, now });

  expect(at(2_000)).toMatchObject({ agent: { players: 3 }, host: { cpu: 0.5 } });
  expect(at(61_001)).toEqual({
    agent: null,
    host: null,
    agentSeenAt: 1_000,
    hostObservedAt: 1_000,
    agentAskedAt: 1_000,
  });
});

test('what was said of a former instance is not believed of a new one with its VMID', () => {
  const live = createLive();
  live.take({ agents: [[5001, agent]], hosts: [[5001, host]] });

  expect(live.of(5001, { bornAt: 1_001, now: 2_000 })).toEqual({
    agent: null,
    host: null,
    agentSeenAt: null,
    hostObservedAt: null,
    agentAskedAt: null,
  });
});
