import type { Redis } from 'ioredis';

import type { Change, ChangeFeed } from '../actors/change-feed.ts';

/**
 * Tells the other nodes which actors stepped. Only a hint that saves waiting: Redis may lose any
 * message, so whoever waits for a change also looks for itself now and then.
 */
export function createChangeFeed(options: {
  readonly publisher: Redis;
  readonly subscriber: Redis;
  readonly channel: string;
  readonly onError: (error: unknown) => void;
}): ChangeFeed {
  const { publisher, subscriber, channel, onError } = options;
  const listeners = new Set<(change: Change) => void>();
  subscriber.on('message', (from, message) => {
    if (from !== channel) return;
    try {
      for (const change of JSON.parse(message) as Change[]) {
        for (const listener of listeners) listener(change);
      }
    } catch (error) {
      // Nobody waits for this event: thrown here, it would end the process.
      onError(error);
    }
  });
  const subscribe = () => void subscriber.subscribe(channel).catch(onError);
  // A connection that has no offline queue refuses everything before it is ready.
  if (subscriber.status === 'ready') subscribe();
  subscriber.on('ready', subscribe);

  return {
    publish(changes) {
      publisher.publish(channel, JSON.stringify(changes)).catch(onError);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
