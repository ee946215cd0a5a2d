import { type ConnectionOptions, type JobsOptions, Queue } from 'bullmq';

import type { EffectKind } from '../machines/instance/types.ts';

/**
 * BullMQ only wakes somebody who then reads the truth: a job holds the key of an outbox row or a
 * timer, never what is to be done. Whatever is lost here, a sweep finds again.
 */
export const QUEUE_NAMES = [
  'effects-clone',
  'effects-host',
  'effects-await',
  'effects-agent',
  'effects-backup',
  'effects-internal_dns',
  'effects-public_dns',
  'effects-router',
  'effects-forward',
  'effects-proxy',
  'effects-stripe',
  'effects-billing',
  'mails',
  'timers',
  'sweeps',
  'polls',
] as const;
const QUICK_ABOUT_BACKUPS: readonly string[] = ['backup.halt', 'backup.resume', 'backup.delete'];

export type QueueName = (typeof QUEUE_NAMES)[number];

/**
 * One queue for each third party: a slow one does not occupy the workers of another. What mostly
 * waits, for the template or for an installation, has a queue of its own for the same reason.
 */
export function effectsQueueOf(kind: EffectKind | string): QueueName {
  if (kind === 'container.clone') return 'effects-clone';
  if (kind === 'agent.await') return 'effects-await';
  // A game that is to run again does not wait behind backups that take an hour.
  if (QUICK_ABOUT_BACKUPS.includes(kind)) return 'effects-agent';
  const name = `effects-${kind.slice(0, kind.indexOf('.'))}`;
  return QUEUE_NAMES.find((one) => one === name) ?? 'effects-host';
}

const EFFECT_ATTEMPTS = 5;

/**
 * For calls that did not get through: they are tried again after `retryMs`, after twice as long,
 * and so on. What the world refuses, the machine decides about.
 */
export const effectJobOptions = (retryMs: number): JobsOptions => ({
  attempts: EFFECT_ATTEMPTS,
  backoff: { type: 'exponential', delay: retryMs },
  removeOnComplete: true,
  removeOnFail: true,
});

export interface Queues extends AsyncDisposable {
  readonly get: (name: QueueName) => Queue;
}

export function createQueues(options: {
  readonly connection: ConnectionOptions;
  readonly prefix: string;
  readonly onError: (error: Error) => void;
}): Queues {
  const queues = new Map(
    QUEUE_NAMES.map((name) => {
      const queue = new Queue(name, { connection: options.connection, prefix: options.prefix });
      queue.on('error', options.onError);
      return [name, queue] as const;
    }),
  );
  return {
    get: (name) => queues.get(name) as Queue,
    async [Symbol.asyncDispose]() {
      await Promise.all([...queues.values()].map((queue) => queue.close()));
    },
  };
}
