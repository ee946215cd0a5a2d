import type { Redis } from 'ioredis';

import { type AgentNumbers, type HostNumbers, LIVE_TTL_MS, type LiveNews } from '../view/live.ts';

/**
 * Live numbers on their way from whoever polls to every node that answers reads.
 *
 *   const live = createLiveFeed({ publisher, subscriber, prefix, onError });
 *   live.publish({ agents: [[5001, { seenAt, askedAt, condition, players, uptimeSeconds }]],
 *                  hosts: [[5001, { observedAt, cpu, mem, maxmem, disk, uptime }]] });
 *
 * `publish` costs one round trip however many containers it names, and is never waited for. It
 * keeps each under `<prefix>:agent:<vmid>` or `<prefix>:host:<vmid>` for a minute, which `load`
 * reads for a node that has just started, and sends all to `<prefix>:live`. Nothing of this is
 * reliable, and need not be: what gets lost is published again by the next poll.
 */
export interface LiveFeed {
  publish(news: LiveNews): void;
  subscribe(listener: (news: LiveNews) => void): () => void;
  /** What is still kept of these containers. */
  load(vmids: readonly number[]): Promise<LiveNews>;
  /** What was published of these agents by whoever polled them last. */
  loadPolled(vmids: readonly number[]): Promise<ReadonlyMap<number, PolledAgent>>;
}

/** What the next poll of an agent has to know of the last one, whichever node made it. */
export interface PolledAgent extends AgentNumbers {
  /** Polls in a row that came to nothing. */
  readonly misses: number;
  readonly isSlow: boolean;
  /** Until when changes of it are told sparingly, because so many were. Unix ms. */
  readonly busyUntil: number;
}

/** Keys of one MGET: a larger one would keep Redis from everybody else. */
const LOAD_MAX = 1_000;

export function createLiveFeed(options: {
  readonly publisher: Redis;
  readonly subscriber: Redis;
  readonly prefix: string;
  readonly onError: (error: unknown) => void;
}): LiveFeed {
  const { publisher, subscriber, prefix, onError } = options;
  const channel = `${prefix}:live`;
  const listeners = new Set<(news: LiveNews) => void>();
  const agentKey = (vmid: number) => `${prefix}:agent:${vmid}`;
  const hostKey = (vmid: number) => `${prefix}:host:${vmid}`;

  subscriber.on('message', (from, message) => {
    if (from !== channel) return;
    const news = parseNews(message);
    for (const listener of listeners) listener(news);
  });
  const listen = () => {
    if (listeners.size > 0) void subscriber.subscribe(channel).catch(onError);
  };
  subscriber.on('ready', listen);

  async function loadAll<Numbers>(
    vmids: readonly number[],
    keyOf: (vmid: number) => string,
    toNumbers: (value: unknown) => Numbers | null,
  ): Promise<[number, Numbers][]> {
    const found: [number, Numbers][] = [];
    for (let from = 0; from < vmids.length; from += LOAD_MAX) {
      const some = vmids.slice(from, from + LOAD_MAX);
      const texts = await publisher.mget(some.map(keyOf));
      for (const [index, text] of texts.entries()) {
        const numbers = text === null ? null : toNumbers(parseJson(text));
        if (numbers) found.push([some[index] as number, numbers]);
      }
    }
    return found;
  }

  return {
    publish(news) {
      const pipeline = publisher.pipeline();
      const keep = (key: string, numbers: object) =>
        pipeline.set(key, JSON.stringify(numbers), 'PX', LIVE_TTL_MS);
      for (const [vmid, numbers] of news.agents) keep(agentKey(vmid), numbers);
      for (const [vmid, numbers] of news.hosts) keep(hostKey(vmid), numbers);
      pipeline.publish(channel, JSON.stringify(news));
      pipeline.exec().catch(onError);
    },
    subscribe(listener) {
      listeners.add(listener);
      // A connection that has no offline queue refuses everything before it is ready.
      if (subscriber.status === 'ready') listen();
      return () => void listeners.delete(listener);
    },
    load: async (vmids) => ({
      agents: await loadAll(vmids, agentKey, toAgentNumbers),
      hosts: await loadAll(vmids, hostKey, toHostNumbers),
    }),
    loadPolled: async (vmids) => new Map(await loadAll(vmids, agentKey, toPolledAgent)),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** By hand, because it is done for every container every few seconds. What is not right is left out. */
function parseNews(text: string): LiveNews {
  const { agents, hosts } = (parseJson(text) ?? {}) as { agents?: unknown; hosts?: unknown };
  return { agents: parsePairs(agents, toAgentNumbers), hosts: parsePairs(hosts, toHostNumbers) };
}

function parsePairs<Numbers>(
  pairs: unknown,
  toNumbers: (value: unknown) => Numbers | null,
): [number, Numbers][] {
  if (!Array.isArray(pairs)) return [];
  return pairs.flatMap((pair: unknown): [number, Numbers][] => {
    const [vmid, value] = Array.isArray(pair) ? (pair as unknown[]) : [];
    const numbers = toNumbers(value);
    return Number.isSafeInteger(vmid) && numbers ? [[vmid as number, numbers]] : [];
  });
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};
const numberOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

function toAgentNumbers(value: unknown): AgentNumbers | null {
  const { seenAt: at, askedAt, condition, players, uptimeSeconds } = fieldsOf(value);
  const seenAt = numberOf(at);
  if (seenAt === null) return null;
  return {
    seenAt,
    askedAt: numberOf(askedAt) ?? seenAt,
    condition: typeof condition === 'string' ? condition : null,
    players: numberOf(players),
    uptimeSeconds: numberOf(uptimeSeconds),
  };
}

function toPolledAgent(value: unknown): PolledAgent | null {
  const numbers = toAgentNumbers(value);
  const { misses, isSlow, busyUntil } = fieldsOf(value);
  return (
    numbers && {
      ...numbers,
      misses: numberOf(misses) ?? 0,
      isSlow: isSlow === true,
      busyUntil: numberOf(busyUntil) ?? 0,
    }
  );
}

function toHostNumbers(value: unknown): HostNumbers | null {
  const { observedAt: at, cpu, mem, maxmem, disk, uptime } = fieldsOf(value);
  const observedAt = numberOf(at);
  if (observedAt === null) return null;
  return {
    observedAt,
    cpu: numberOf(cpu),
    mem: numberOf(mem),
    maxmem: numberOf(maxmem),
    disk: numberOf(disk),
    uptime: numberOf(uptime),
  };
}
