import { randomBytes } from 'node:crypto';

import type { Pool } from 'pg';

import type { ActorStore } from '../../src/actors/store.ts';
import { type ActorSystem, createActorSystem } from '../../src/actors/system.ts';
import { definitions } from '../../src/machines/index.ts';
import type { EffectKind, InstanceContext } from '../../src/machines/instance/types.ts';
import type { Performance, Performers } from '../../src/queues/effects/performer.ts';
import { createEffectProcessor } from '../../src/queues/workers/perform-effects.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createInstanceStore } from '../../src/storage/instance-store.ts';
import { createOutbox, type Outbox } from '../../src/storage/outbox.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createTestDatabase } from '../support/database.ts';
import { sampleInput } from '../support/instance-model.ts';
import { until } from '../support/until.ts';

export const logger = createLogger('silent');

/** Every kind fails the test that did not expect it, save those given. */
export function performersOf(given: Partial<Performers>): Performers {
  const unexpected = new Proxy({} as Performers, {
    get: (_, kind) => () => Promise.reject(new Error(`${String(kind)} was not expected`)),
  });
  return new Proxy(given as Performers, {
    get: (target, kind) => target[kind as EffectKind] ?? unexpected[kind as EffectKind],
  });
}

/** A node has connections and a memory of its own. */
export interface TestNode {
  readonly pool: Pool;
  readonly store: ActorStore;
  readonly outbox: Outbox;
  readonly actors: ActorSystem;
}

/** Instances in a database of one's own, and nodes that perform their effects. */
export async function setUpInstances() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const rows = async (text: string) => (await database.pool.query(text)).rows;
  const connect = () =>
    closing.use(openDatabase({ url: database.url, connectionsMax: 5, onError: () => {} }));

  function createNode(): TestNode {
    const { pool } = connect();
    const store = createActorStore(pool);
    const outbox = createOutbox(pool);
    const nodeId = randomBytes(6).toString('hex');
    const actors = createActorSystem({ store, definitions, now: Date.now, nodeId });
    return { pool, store, outbox, actors };
  }

  const closing = opened.move();
  return {
    database,
    rows,
    createNode,
    /** Performs effects of a node as a worker would for a job of the queue. */
    processorOf({ store, outbox, actors }: TestNode, given: Partial<Performers>, leaseMs = 60_000) {
      const perform = createEffectProcessor({
        outbox,
        actors,
        settle: store.settle,
        performers: performersOf(given),
        leaseMs,
        logger,
      });
      return (
        key: string,
        { attemptsMade = 0, attempts = 5, shutdown = new AbortController().signal } = {},
      ) => perform({ data: { key }, attemptsMade, opts: { attempts } }, shutdown);
    },
    /** Creates an instance and answers the key of its first effect, a clone. */
    async create(actors: ActorSystem, vmid = 5001): Promise<string> {
      const id = idOf(vmid);
      const instances = createInstanceStore(database.pool);
      const input = sampleInput({ id, vmid });
      await actors.create(addressOf(vmid), input, (step) => instances.create({ vmid, step }));
      return this.keyOf(vmid);
    },
    async keyOf(vmid = 5001): Promise<string> {
      const found = await rows(`SELECT key FROM effect WHERE instance_id = '${idOf(vmid)}'
        ORDER BY created_at DESC, key DESC LIMIT 1`);
      return found[0]?.key ?? 'none';
    },
    effects: () => rows('SELECT key, kind, lease_token FROM effect ORDER BY created_at, key'),
    /** What the journal has of an effect: its beginning, its task, its end. */
    async eventsOf(key: string): Promise<readonly Record<string, unknown>[]> {
      const found = await rows(`SELECT event_id, event FROM journal
        WHERE event_id LIKE '${key}#%' ORDER BY seq`);
      return found.map(({ event_id, event }) => ({ of: event_id.split('#')[1], ...event }));
    },
    async contextOf(actors: ActorSystem, vmid = 5001): Promise<InstanceContext> {
      return (await actors.read(addressOf(vmid))).snapshot.context;
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

export const idOf = (vmid: number) => `${vmid}-aaaa0001`;
export const addressOf = (vmid: number) => ({ kind: 'instance', id: idOf(vmid) });
export const cloned = (opId: string) => ({ type: 'container.cloned', opId, node: 'pve1' }) as const;

/** One instance whose first effect, a clone, nobody has performed yet. */
export async function setUpClone() {
  const t = await setUpInstances();
  const node = t.createNode();
  const key = await t.create(node.actors);
  return { ...t, node, key, [Symbol.asyncDispose]: () => t[Symbol.asyncDispose]() };
}

/** A performance that goes on until its test says so, or until it is called off. */
export function createPerformance() {
  const { promise, resolve: finish } = Promise.withResolvers<void>();
  const begun: Performance[] = [];
  const reasons: unknown[] = [];
  const performers: Partial<Performers> = {
    'container.clone': async ({ opId }, performance) => {
      begun.push(performance);
      const { signal } = performance;
      const calledOff = new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      );
      await Promise.race([promise, calledOff]).catch((reason: unknown) => {
        reasons.push(reason);
        throw reason;
      });
      return cloned(opId);
    },
  };
  const hasBegun = (times = 1) =>
    until(() => begun.length === times, { what: `${times} performances to begin` });
  return { performers, begun, reasons, finish, hasBegun };
}
