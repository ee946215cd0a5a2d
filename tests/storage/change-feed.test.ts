import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import type { Change } from '../../src/actors/change-feed.ts';
import { createChangeFeed } from '../../src/storage/change-feed.ts';
import { until } from '../support/until.ts';

function openNode(stack: DisposableStack, channel: string) {
  const [publisher, subscriber] = [new Redis(inject('redisUrl')), new Redis(inject('redisUrl'))];
  stack.defer(() => publisher.disconnect());
  stack.defer(() => subscriber.disconnect());
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const feed = createChangeFeed({ publisher, subscriber, channel, onError });
  const heard: Change[] = [];
  feed.subscribe((change) => heard.push(change));
  return { feed, heard, errors };
}

test('a change that one node publishes is heard by the others', async () => {
  using stack = new DisposableStack();
  const [one, two] = [openNode(stack, 'zpack-test:a'), openNode(stack, 'zpack-test:a')];
  const stranger = openNode(stack, 'zpack-test:b');

  await until(
    () => {
      one.feed.publish([{ id: '5001-a', version: 2 }]);
      return two.heard.length > 0;
    },
    { what: 'the other node to hear' },
  );

  expect(two.heard[0]).toEqual({ id: '5001-a', version: 2 });
  expect(stranger.heard).toEqual([]);
  expect([...one.errors, ...two.errors]).toEqual([]);
});
