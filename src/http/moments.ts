import { setImmediate } from 'node:timers/promises';

import { LRUCache } from 'lru-cache';

import { isAsStored, type JournalStep, type Moment, type Replay } from '../actors/replay.ts';
import type { Stored, StoredSnapshot } from '../actors/store.ts';
import { UnavailableError } from '../errors.ts';
import type { History } from '../storage/history.ts';

/** Why a moment cannot be told, though its step is in the journal. */
export type Lost = 'other_machine' | 'too_long';

export interface Moments {
  /**
   * An instance as it was after that step, which exists.
   * @throws UnavailableError if too many wait for theirs
   */
  find(id: string, revision: number): Promise<Moment | Lost>;
}

export interface MomentLimits {
  /** A life is gone through from its beginning, up to this step. */
  readonly revisionMax: number;
  /** Whoever comes when so many wait is refused. */
  readonly waitingMax: number;
}

const LIMITS: MomentLimits = { revisionMax: 20_000, waitingMax: 32 };
/** As many steps as take a few milliseconds; then whoever else waits for this process has a turn. */
const SLICE = 50;
const PAGE = 500;
/** Every so often a moment is kept, to go on from when a later one is asked for. */
const KEPT_EVERY = 250;
const LIVES_MAX = 32;

/**
 * Goes through journals again. One life at a time on a node: it is work for the processor, which
 * requests need more than whoever looks back.
 */
export function createMoments(options: {
  readonly history: Pick<History, 'steps' | 'explain'>;
  readonly replay: Replay;
  /** Brings a stored state up to the machine that goes through it again. */
  readonly upgrade: (stored: Stored) => StoredSnapshot;
  readonly limits?: MomentLimits;
}): Moments {
  const { history, replay, upgrade, limits = LIMITS } = options;
  const lives = new LRUCache<string, Life>({ max: LIVES_MAX });
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  async function find(id: string, revision: number): Promise<Moment | Lost> {
    const life = lives.get(id) ?? { kept: new Map(), endsAsStored: null };
    lives.set(id, life);
    life.endsAsStored ??= await compareEnd(id, life.kept);
    return life.endsAsStored ? goTo(id, revision, life.kept) : 'other_machine';
  }

  /** Equal states may hide unequal memories: those of the present are known, so they are compared. */
  async function compareEnd(id: string, kept: Kept): Promise<boolean> {
    const present = await history.explain(id);
    if (!present || present.version > limits.revisionMax) return true;
    const end = await goTo(id, present.version, kept);
    // Then a state on the way says already from where on it was another machine.
    return typeof end === 'string' || isAsStored(end, upgrade(present));
  }

  async function goTo(id: string, revision: number, kept: Kept): Promise<Moment | Lost> {
    let moment = latestBefore(kept, revision);
    while (moment?.revision !== revision) {
      const after: number = moment?.revision ?? 0;
      const limit = Math.min(PAGE, revision - after);
      const steps = await history.steps(id, { after, limit });
      const next = steps.length === 0 ? null : await follow(moment, steps, kept);
      if (!next) return 'other_machine';
      moment = next;
    }
    return moment;
  }

  async function follow(from: Moment | null, steps: readonly JournalStep[], kept: Kept) {
    let moment = from;
    for (const [index, step] of steps.entries()) {
      if (index % SLICE === SLICE - 1) await setImmediate();
      moment = replay(moment, step);
      if (!moment) return null;
      if (moment.revision % KEPT_EVERY === 0) kept.set(moment.revision, moment);
    }
    return moment;
  }

  return {
    async find(id, revision) {
      if (revision > limits.revisionMax) return 'too_long';
      if (waiting >= limits.waitingMax) {
        throw new UnavailableError('too many moments are being looked for: ask again');
      }
      waiting += 1;
      const found = last.then(() => find(id, revision));
      last = found.catch(() => {}); // Whoever asked hears of it; the next one is not concerned.
      return found.finally(() => {
        waiting -= 1;
      });
    },
  };
}

type Kept = Map<number, Moment>;

interface Life {
  readonly kept: Kept;
  /** null: not compared yet. */
  endsAsStored: boolean | null;
}

function latestBefore(kept: Kept, revision: number): Moment | null {
  const known = [...kept.keys()].filter((one) => one <= revision);
  return kept.get(Math.max(0, ...known)) ?? null;
}
