import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';

import type { ActorStore } from '../../src/actors/store.ts';
import { type ActorSystem, createActorSystem } from '../../src/actors/system.ts';
import { createQueues } from '../../src/queues/queues.ts';
import { createRelay } from '../../src/queues/relay.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { createChangeFeed } from '../../src/storage/change-feed.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import type { Sending } from './lives.ts';
import { MACHINES, type MachineName } from './machines.ts';

export interface CommitCounts {
  readonly commits: number;
  readonly steps: number;
  readonly conflicts: number;
  readonly ms: number;
}

export interface Node extends AsyncDisposable {
  readonly database: Database;
  readonly actors: ActorSystem;
  readonly counts: () => CommitCounts;
}

export interface NodeOptions {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly machine: MachineName;
  readonly cacheMax?: number;
}

/** The parts of an API node as app/foundation.ts puts them together, with a machine of choice. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { databaseUrl, redisUrl, machine, cacheMax } = options;
  await using opened = new AsyncDisposableStack();
  const onError = (error: unknown) => console.error(String(error));
  const database = opened.use(openDatabase({ url: databaseUrl, connectionsMax: 12, onError }));
  const openRedis = () => {
    const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
    opened.defer(() => redis.disconnect());
    return redis;
  };
  const redis = openRedis();
  const prefix = `bench-${randomBytes(4).toString('hex')}`;
  const queues = opened.use(createQueues({ connection: redis, prefix, onError }));
  opened.defer(async () => {
    for (const name of ['effects-host', 'effects-agent', 'timers'] as const) {
      await queues.get(name).obliterate({ force: true });
    }
  });
  const feed = createChangeFeed({
    publisher: redis,
    subscriber: openRedis(),
    channel: `${prefix}:changed`,
    onError,
  });
  const relay = createRelay({ queues, feed, onError, retryMs: 500 });
  const { store, counts } = countCommits(createActorStore(database.pool));
  const actors = createActorSystem({
    store,
    definitions: { instance: MACHINES[machine] },
    now: Date.now,
    nodeId: randomBytes(6).toString('hex'),
    ...(cacheMax !== undefined && { cacheMax }),
  });
  actors.onCommitted(relay.announce);
  feed.subscribe(actors.heard);
  const closing = opened.move();
  return { database, actors, counts, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

function countCommits(store: ActorStore) {
  let [commits, steps, conflicts, ms] = [0, 0, 0, 0];
  const counting: ActorStore = {
    ...store,
    async commit(batch) {
      const begunAt = performance.now();
      const outcomes = await store.commit(batch);
      ms += performance.now() - begunAt;
      commits += 1;
      steps += batch.length;
      conflicts += outcomes.filter((outcome) => outcome === 'void').length;
      return outcomes;
    },
  };
  return { store: counting, counts: (): CommitCounts => ({ commits, steps, conflicts, ms }) };
}

/** As workers and routes do: the end of an effect is told, everything else asked for. */
export async function deliver(
  actors: ActorSystem,
  { id, event, completes }: Sending,
): Promise<number | null> {
  const address = { kind: 'instance', id };
  if (completes !== undefined) {
    await actors.tell(address, event, { eventId: `${completes}#end`, completes });
    return null;
  }
  const asked = await actors.ask(address, event);
  if (asked.outcome === 'refused') throw new Error(`${event.type}: ${asked.reason.code}`);
  return asked.version;
}

/** Rows were rewritten behind the node's back: it reads, and so remembers, them as they are. */
export async function recall(actors: ActorSystem, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => actors.read({ kind: 'instance', id })));
}
