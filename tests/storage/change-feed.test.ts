import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import type { Change } from '../../src/actors/change-feed.ts';
import { createChangeFeed } from '../../src/storage/change-feed.ts';
import { until } from '../support/until.ts';

/** As app/ opens its connections: whoever asks before they are ready is refused. */
function connect(opened: DisposableStack): Redis {
  const redis = new Redis(inject('redisUrl'), {
    maxRetriesPerRequest: null,
    enableOfflineQueue: false,
  });
  redis.on('error', () => {});
  opened.defer(() => redis.disconnect());
  return redis;
}

function setUp() {
  const opened = new DisposableStack();
  const channel = `feed-${randomBytes(6).toString('hex')}`;
  const errors: unknown[] = [];
  const createNode = () => {
    const [publisher, subscriber] = [connect(opened), connect(opened)];
    const onError = (error: unknown) => void errors.push(error);
    const feed = createChangeFeed({ publisher, subscriber, channel, onError });
    const heard: Change[] = [];
    feed.subscribe((change) => heard.push(change));
    return { feed, heard, publisher, subscriber };
  };
  return { createNode, errors, channel, [Symbol.dispose]: () => opened.dispose() };
}

/** Publishes until it is heard: the feed may lose a message, but not all of them. */
async function isHeard(from: ReturnType<ReturnType<typeof setUp>['createNode']>, heard: Change[]) {
  await until(
    () => {
      if (from.publisher.status === 'ready') from.feed.publish([{ id: '5001-a', version: 2 }]);
      return heard.length > 0;
    },
    { what: 'a change to be heard of' },
  );
}

test('a feed that is created before its connection is ready hears of changes all the same', async () => {
  using t = setUp();
  const [one, two] = [t.createNode(), t.createNode()];

  await isHeard(one, two.heard);

  expect(two.heard[0]).toEqual({ id: '5001-a', version: 2 });
  expect(t.errors).toEqual([]);
});

test('a feed whose connection broke hears of changes again', async () => {
  using t = setUp();
  const [one, two] = [t.createNode(), t.createNode()];
  await isHeard(one, two.heard);

  two.subscriber.disconnect(true);
  await until(() => two.subscriber.status !== 'ready', { what: 'the end of the connection' });
  two.heard.length = 0;
  await isHeard(one, two.heard);

  expect(two.heard[0]).toEqual({ id: '5001-a', version: 2 });
});

test('a message that is not one of ours is reported and harms nobody', async () => {
  using t = setUp();
  const [one, two] = [t.createNode(), t.createNode()];
  await isHeard(one, two.heard);

  await one.publisher.publish(t.channel, 'not JSON');
  two.heard.length = 0;
  await isHeard(one, two.heard);

  expect(t.errors).toHaveLength(2);
  expect(t.errors[0]).toBeInstanceOf(SyntaxError);
});
