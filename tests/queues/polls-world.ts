import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { pino } from 'pino';
import { inject } from 'vitest';

import type { ActorSystem } from '../../src/actors/system.ts';
import { createAgentClient } from '../../src/clients/agent/client.ts';
import type { InstanceContext } from '../../src/machines/instance/types.ts';
import type { Polled } from '../../src/queues/polls/poll-agent.ts';
import { createAgentSweep } from '../../src/queues/polls/sweep-agents.ts';
import { createTell } from '../../src/queues/polls/tell.ts';
import { createLiveFeed } from '../../src/storage/live-feed.ts';
import { createPollTargets } from '../../src/storage/poll-targets.ts';
import { type FakeAgent, startFakeAgents } from '../support/fake-agents.ts';
import { until } from '../support/until.ts';
import { addressOf, idOf, setUpInstances, type TestNode } from './worker-world.ts';

export const never = new AbortController().signal;

/** Instances, a feed of live numbers, and log lines that a test can read. */
export async function setUpObservers() {
  await using opened = new AsyncDisposableStack();
  const instances = opened.use(await setUpInstances());
  const connect = () => {
    const redis = new Redis(inject('redisUrl'));
    opened.defer(() => redis.disconnect());
    return redis;
  };
  const [publisher, subscriber] = [connect(), connect()];
  const prefix = `polls-${randomBytes(6).toString('hex')}`;
  const live = createLiveFeed({ publisher, subscriber, prefix, onError: () => {} });
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
  const closing = opened.move();
  return {
    ...instances,
    live,
    lines,
    logger,
    redis: publisher,
    prefix,
    async stateOf({ actors }: TestNode, vmid: number) {
      const { snapshot, version } = await actors.read(addressOf(vmid));
      const { agent, host } = snapshot.value as Record<string, unknown>;
      return { agent, host, version };
    },
    /** What the journal has heard of an instance since it was in service. */
    async heard(vmid: number, type: string): Promise<readonly Record<string, unknown>[]> {
      const found = await instances.rows(
        `SELECT event FROM journal WHERE instance_id = '${idOf(vmid)}'
         AND event ->> 'type' = '${type}' ORDER BY seq`,
      );
      return found.map(({ event }) => event).slice(type === 'agent.observed' ? 1 : 0);
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Through its whole provisioning, by what workers would tell; then it is in service. */
export async function serve(actors: ActorSystem, vmid: number, ip: string): Promise<void> {
  const address = addressOf(vmid);
  const answer = async (lane: 'host' | 'agent', type: string, fields: object = {}) => {
    const { ops } = (await actors.read(address)).snapshot.context as InstanceContext;
    await actors.tell(address, { type, opId: ops[lane]?.id ?? '', ...fields });
  };
  await answer('host', 'container.cloned', { node: 'pve1' });
  await answer('host', 'container.configured');
  await answer('host', 'container.started');
  await answer('host', 'address.found', { ip });
  await answer('agent', 'agent.configured');
  const ready = {
    condition: 'ready',
    readySource: 'minecraft_ping',
    installStep: null,
    state: null,
  };
  await actors.tell(address, { type: 'agent.observed', ...ready, crashCount: 0 });
}

export interface AgentPollRules {
  readonly timeoutMs?: number;
  readonly concurrency?: number;
  readonly now?: () => number;
  readonly spreadMs?: number;
}

/** Instances in service with an agent each, and nodes that poll them. */
export async function setUpAgents(vmids: readonly number[], rules: AgentPollRules = {}) {
  await using opened = new AsyncDisposableStack();
  const t = opened.use(await setUpObservers());
  const fakes = opened.use(await startFakeAgents());
  const agents = new Map<number, FakeAgent>();
  const main = t.createNode();
  for (const vmid of vmids) {
    const ip = `127.20.${vmid >> 8}.${vmid & 255}`;
    agents.set(vmid, fakes.add(ip));
    await t.create(main.actors, vmid);
    await serve(main.actors, vmid, ip);
  }

  let [total, published] = [0, 0];
  t.live.subscribe(({ agents: batch }) => {
    published += batch.length;
  });
  await until(async () => (await t.redis.pubsub('NUMSUB', `${t.prefix}:live`))[1] === 1, {
    what: 'the subscription',
  });

  /** A node of its own, with its own connections: `poll` is one sweep over all agents. */
  function createPoller(node: TestNode = t.createNode()) {
    const { timeoutMs = 400, concurrency = 64, now = Date.now, spreadMs = 0 } = rules;
    const client = closing.use(createAgentClient({ port: fakes.port, timeoutMs: 5_000 }));
    const polled: Polled[] = [];
    const sweep = createAgentSweep({
      targets: createPollTargets(node.pool),
      live: t.live,
      tell: createTell(node.actors),
      agents: client,
      shards: 1,
      timeoutMs,
      concurrency,
      spreadMs,
      missesMax: 3,
      now,
      logger: t.logger,
      onPoll(poll) {
        polled.push(poll);
        total += 1;
      },
    });
    const poll = (shutdown = never) => sweep(0, shutdown);
    return {
      node,
      polled,
      poll,
      /** A sweep, until the last agent has been polled and everybody may know it. */
      async pollAll(): Promise<void> {
        const count = polled.length + vmids.length;
        await poll();
        await until(() => polled.length === count, { what: 'the last poll' });
        await until(() => published === total, { what: 'what was heard to be published' });
      },
    };
  }

  const closing = opened.move();
  return {
    ...t,
    main,
    agentOf: (vmid: number) => agents.get(vmid) as FakeAgent,
    createPoller,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
