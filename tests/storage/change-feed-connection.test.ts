import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import type { Change } from '../../src/actors/change-feed.ts';
import { createChangeFeed } from '../../src/storage/change-feed.ts';
import { until } from '../support/until.ts';

/** Nodes whose connections, as those of app/, refuse whatever is asked before they are ready. */
function setUp() {
  const opened = new DisposableStack();
  const channel = `feed-${randomBytes(6).toString('hex')}`;
  const errors: unknown[] = [];
  const connect = () => {
    const redis = new Redis(inject('redisUrl'), { enableOfflineQueue: false });
    redis.on('error', () => {});
    opened.defer(() => redis.disconnect());
    return redis;
  };
  const createNode = () => {
    const [publisher, subscriber] = [connect(), connect()];
    const onError = (error: unknown) => void errors.push(error);
    const feed = createChangeFeed({ publisher, subscriber, channel, onError });
    const heard: Change[] = [];
    feed.subscribe((change) => heard.push(change));
    return { feed, heard, publisher, subscriber };
  };
  const [one, two] = [createNode(), createNode()];
  return {
    one,
    two,
    errors,
    channel,
    /** Publishes until it is heard: the feed may lose a message, but not all of them. */
    async isHeard() {
      two.heard.length = 0;
      const publish = () => {
        if (one.publisher.status === 'ready') one.feed.publish([{ id: '5001-a', version: 2 }]);
        return two.heard.length > 0;
      };
      await until(publish, { what: 'a change to be heard of' });
    },
    [Symbol.dispose]: () => opened.dispose(),
  };
}

test('a feed that is created before its connection is ready hears of changes all the same', async () => {
  using t = setUp();

  await t.isHeard();

  expect(t.two.heard[0]).toEqual({ id: '5001-a', version: 2 });
  expect(t.errors).toEqual([]);
});

test('a feed whose connection broke hears of changes again', async () => {
  using t = setUp();
  await t.isHeard();

  t.two.subscriber.disconnect(true);
  await until(() => t.two.subscriber.status !== 'ready', { what: 'the end of the connection' });
  await t.isHeard();

  expect(t.two.heard[0]).toEqual({ id: '5001-a', version: 2 });
});

test('a message that is not one of ours is reported and harms nobody', async () => {
  using t = setUp();
  await t.isHeard();

  await t.one.publisher.publish(t.channel, 'not JSON');
  await t.isHeard();

  expect(t.errors.length).toBeGreaterThan(0);
  expect(t.errors.every((error) => error instanceof SyntaxError)).toBe(true);
});
