import { toEntry, type Upgrade } from './entry.ts';
import type { Fleet, FleetEntry } from './fleet.ts';
import type { FleetRows, JournalEntry, JournalReader } from './journal.ts';
import { createRecent, type Recent } from './recent.ts';

/** News may be lost, all of them if Redis is: whoever follows looks for himself this often. */
const LOOK_MS = 1_000;
/** Changes that come in quick succession are read together. */
const PAUSE_MS = 20;
const PAGE_MAX = 1_000;
/** The later entries, for clients that come back after a moment. */
const RECENT_MAX = 2_000;

export interface TailListener {
  /** In order, none missing, none twice; the fleet is at least as new. */
  readonly followed: (entries: readonly JournalEntry[]) => void;
  /** The journal is another one: what was followed so far means nothing any more. */
  readonly restarted: () => void;
}

/** Follows the journal and keeps the fleet as it says. */
export interface Tail extends AsyncDisposable {
  /** The fleet is at least as new as this entry. */
  seq(): number;
  /** When the fleet was last found to be up to date. */
  currentAt(): number;
  readonly recent: Pick<Recent, 'between'>;
  /** Something has happened: look now. Only a hint. */
  wake(): void;
  subscribe(listener: TailListener): () => void;
}

export interface TailOptions {
  readonly journal: JournalReader;
  readonly rows: FleetRows;
  readonly fleet: Fleet;
  readonly upgrade: Upgrade;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** Starts when the fleet is complete. */
export async function startTail(options: TailOptions): Promise<Tail> {
  const { journal, fleet, now, onError } = options;
  const listeners = new Set<TailListener>();
  const recent = createRecent(RECENT_MAX);
  let seq = 0;
  let currentAt = 0;

  async function reload(): Promise<void> {
    // The head first: whatever is committed while the rows are read is followed afterwards.
    const head = await journal.head();
    fleet.replace(await loadAll(options));
    recent.clear();
    const latest = await journal.readAfter(Math.max(0, head - RECENT_MAX), RECENT_MAX);
    recent.add(latest.filter((entry) => entry.seq <= head));
    seq = head;
    currentAt = now();
  }

  /** false: there may be more. */
  async function follow(): Promise<boolean> {
    const askedAt = now();
    const entries = await journal.readAfter(seq, PAGE_MAX);
    if (await isBroken(entries)) {
      await reload();
      for (const { restarted } of listeners) restarted();
      return true;
    }
    await renew(entries, options);
    recent.add(entries);
    seq += entries.length;
    const isCurrent = entries.length < PAGE_MAX;
    if (isCurrent) currentAt = askedAt;
    if (entries.length > 0) for (const { followed } of listeners) followed(entries);
    return isCurrent;
  }

  /** A restored database ends earlier than what we saw; one that was tampered with has holes. */
  async function isBroken(entries: readonly JournalEntry[]): Promise<boolean> {
    if (entries.length === 0) return (await journal.head()) < seq;
    return entries.some((entry, index) => entry.seq !== seq + 1 + index);
  }

  await reload();
  const following = keepLooking(async () => {
    try {
      while (!(await follow()));
    } catch (error) {
      onError(error);
    }
  });
  return {
    seq: () => seq,
    currentAt: () => currentAt,
    recent,
    wake: following.wake,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.asyncDispose]: following.end,
  };
}

async function loadAll({ rows, upgrade }: TailOptions): Promise<FleetEntry[]> {
  const entries: FleetEntry[] = [];
  for (let after = 0; ; ) {
    const page = await rows.page(after, PAGE_MAX);
    entries.push(...page.map((row) => toEntry(row, upgrade)));
    const last = page.at(-1);
    if (!last || page.length < PAGE_MAX) return entries;
    after = last.vmid;
  }
}

/** Reads, in one query, the instances that the journal knows better than the fleet. */
async function renew(
  entries: readonly JournalEntry[],
  { rows, fleet, upgrade }: TailOptions,
): Promise<void> {
  const latest = new Map(entries.map((entry) => [entry.id, entry]));
  const stale = [...latest.values()].filter(({ id, version }) => fleet.versionOf(id) < version);
  if (stale.length > 0) {
    const found = await rows.load(stale.map(({ id }) => id));
    const living = new Set(found.map(({ id }) => id));
    if (found.length > 0) fleet.take(found.map((row) => toEntry(row, upgrade)));
    const ended = stale.filter(({ id }) => !living.has(id));
    if (ended.length > 0) fleet.end(ended);
  }
  if (entries.length > 0) fleet.date([...latest.values()]);
}

/** Runs `look` again and again: when woken, and in any case every LOOK_MS. */
function keepLooking(look: () => Promise<void>) {
  const ending = new AbortController();
  let isWanted = false;
  let ring: () => void = () => {};
  const sleep = (ms: number, isOver: () => boolean) =>
    new Promise<void>((resolve) => {
      if (isOver()) return resolve();
      const timer = setTimeout(resolve, ms);
      ring = () => {
        if (!isOver()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  const isEnding = () => ending.signal.aborted;
  async function run(): Promise<void> {
    while (!isEnding()) {
      isWanted = false;
      await look();
      await sleep(PAUSE_MS, isEnding);
      await sleep(LOOK_MS, () => isWanted || isEnding());
    }
  }
  const running = run();
  return {
    wake() {
      isWanted = true;
      ring();
    },
    async end() {
      ending.abort();
      ring();
      await running;
    },
  };
}
