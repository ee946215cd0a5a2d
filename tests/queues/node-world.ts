import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { inject } from 'vitest';

import type { Performers } from '../../src/queues/effects/performer.ts';
import { createQueues } from '../../src/queues/queues.ts';
import { createRelay } from '../../src/queues/relay.ts';
import { startWorkers } from '../../src/queues/start-workers.ts';
import { createTimerProcessor } from '../../src/queues/workers/deliver-timers.ts';
import type { Sweeps } from '../../src/queues/workers/sweep.ts';
import { createTimers } from '../../src/storage/timers.ts';
import { addressOf, cloned, logger, setUpInstances, type TestNode } from './worker-world.ts';

/** Effects in flight in each queue of a node. */
export const CONCURRENCY = 8;

/** A world in which everything asked for succeeds. It counts what is performed. */
export function createWillingWorld(gate: Promise<unknown> = Promise.resolve()) {
  const performed: string[] = [];
  const seen = {
    type: 'agent.observed',
    readySource: null,
    installStep: null,
    state: null,
    crashCount: null,
  } as const;
  const note = (kind: string, vmid: number) => performed.push(`${kind} ${vmid}`);
  const performers: Partial<Performers> = {
    async 'container.clone'({ kind, vmid, opId }) {
      note(kind, vmid);
      await gate;
      return cloned(opId);
    },
    async 'container.configure'({ kind, vmid, opId }) {
      note(kind, vmid);
      return { type: 'container.configured', opId };
    },
    async 'container.start'({ kind, vmid, opId }) {
      note(kind, vmid);
      return { type: 'container.started', opId };
    },
    async 'container.address'({ kind, vmid, opId }) {
      note(kind, vmid);
      return { type: 'address.found', opId, ip: '10.0.0.5' };
    },
    async 'agent.configure'({ kind, vmid, opId }) {
      note(kind, vmid);
      return { type: 'agent.configured', opId };
    },
    async 'agent.await'({ kind, vmid }) {
      note(kind, vmid);
      return { ...seen, condition: 'ready' };
    },
  };
  return { performers, performed };
}

/** A clone that goes on until it is called off. */
export const endless: Partial<Performers> = {
  'container.clone': (_, { signal }) =>
    new Promise((_resolve, reject) => {
      const end = () => reject(signal.reason);
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    }),
};

export const STEPS = [
  'container.clone',
  'container.configure',
  'container.start',
  'container.address',
];

export async function setUpNodes(redisUrl = inject('redisUrl')) {
  await using opened = new AsyncDisposableStack();
  const instances = opened.use(await setUpInstances());
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  connection.on('error', () => {});
  opened.defer(() => connection.disconnect());
  const prefix = `sweep-${randomBytes(6).toString('hex')}`;
  const queues = opened.use(createQueues({ connection, prefix, onError: () => {} }));
  const feed = { publish: () => {}, subscribe: () => () => {} };
  const relay = createRelay({ queues, feed, onError: () => {}, retryMs: 500 });

  /** As app/ does it, with shorter intervals. */
  function sweepsOf({ pool, outbox, actors }: TestNode): Sweeps {
    const timers = createTimerProcessor({ timers: createTimers(pool), actors });
    const find = () => outbox.listUnheld({ ageMs: 20, limit: 100 });
    return {
      outbox: { everyMs: 100, run: async () => relay.enqueue(await find()) },
      timers: { everyMs: 100, run: () => timers.deliverDue() },
    };
  }

  async function startNode(
    performers: Partial<Performers>,
    extend: (sweeps: Sweeps) => Sweeps = (sweeps) => sweeps,
  ) {
    const node = instances.createNode();
    const perform = instances.processorOf(node, performers);
    const timers = createTimerProcessor({ timers: createTimers(node.pool), actors: node.actors });
    const workers = await startWorkers({
      connection: { url: redisUrl },
      prefix,
      concurrency: CONCURRENCY,
      lockMs: 10_000,
      queues,
      performEffect: ({ data, attemptsMade, opts }, shutdown) =>
        perform((data as { key: string }).key, {
          attemptsMade,
          attempts: opts.attempts ?? 1,
          shutdown,
        }),
      deliverTimer: timers.process,
      sweeps: extend(sweepsOf(node)),
      logger,
    });
    return { ...node, [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose]() };
  }

  const closing = opened.move();
  return {
    ...instances,
    redis: connection,
    queues,
    relay,
    startNode,
    isReady: async ({ actors }: TestNode, vmid = 5001) =>
      (await actors.read(addressOf(vmid))).snapshot.matches({ provisioning: 'ready' }),
    async [Symbol.asyncDispose]() {
      if (connection.status === 'ready') await queues.get('sweeps').obliterate({ force: true });
      await closing.disposeAsync();
    },
  };
}
