import { setTimeout } from 'node:timers/promises';

/** The multiples of the golden ratio fill a circle evenly, however many there are. */
const TURN = 0.618_033_988_749_895;
/** What is due within one tick begins together: a timer for each would cost more than it gives. */
const TICK_MS = 20;

/**
 * How long the beginnings of one shard's polls are spread: until the next shard begins, and never
 * so long that a poll which takes all of its time is still out when its shard begins again.
 */
export const spreadOf = (polls: {
  readonly everyMs: number;
  readonly shards: number;
  readonly timeoutMs: number;
}): number =>
  Math.max(0, Math.min(polls.everyMs / polls.shards, (polls.everyMs - polls.timeoutMs) / 2));

/**
 * When a poll begins within its spread. It is no chance but the same each time: so the polls of
 * one agent are an interval apart, and neighbours, who often share a host, are far from each other.
 */
export const delayOf = (vmid: number, spreadMs: number): number => ((vmid * TURN) % 1) * spreadMs;

/** Begins the work for each of them in its time. Resolves when all of it has ended. */
export async function beginSpread<Target extends { readonly vmid: number }>(
  targets: readonly Target[],
  begin: (target: Target) => Promise<void> | void,
  { spreadMs, shutdown }: { readonly spreadMs: number; readonly shutdown: AbortSignal },
): Promise<void> {
  const ticks = Map.groupBy(targets, ({ vmid }) => Math.floor(delayOf(vmid, spreadMs) / TICK_MS));
  const begunAt = performance.now();
  const works: (Promise<void> | void)[] = [];
  for (const [tick, due] of [...ticks].sort(([a], [b]) => a - b)) {
    const restMs = tick * TICK_MS - (performance.now() - begunAt);
    if (restMs > 0) await setTimeout(restMs, null, { signal: shutdown }).catch(() => {});
    if (shutdown.aborted) break;
    works.push(...due.map(begin));
  }
  await Promise.all(works);
}
