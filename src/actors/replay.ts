import { isDeepStrictEqual } from 'node:util';

import type { ActorEvent } from './address.ts';
import { planBirth } from './birth.ts';
import type { ActorDefinition } from './definition.ts';
import { planRows, restore } from './plan.ts';
import type { ArmedTimer, StoredSnapshot } from './store.ts';
import { createTransition } from './transition.ts';

/** A step as the journal has it. */
export interface JournalStep {
  readonly seq: number;
  /** The version that it led to. */
  readonly revision: number;
  /** When it was committed, by the database's clock. */
  readonly at: Date;
  readonly event: ActorEvent;
  /** The state value after it. */
  readonly state: unknown;
}

/** An actor as it was after one of its steps. Never changed once it is made. */
export interface Moment {
  readonly revision: number;
  readonly snapshot: StoredSnapshot;
  /** When each timer that was armed then was due, Unix ms. */
  readonly dueAt: ReadonlyMap<string, number>;
  /** By region: the step that led to the state which it was in. */
  readonly causes: Readonly<Record<string, JournalStep>>;
}

/**
 * The step after `before`, made again; null for the first one.
 * @returns null if the machine of today makes another step of it than the journal has
 */
export type Replay = (before: Moment | null, step: JournalStep) => Moment | null;

/**
 * Makes the steps of a journal again. Decisions are pure and events carry their time, so that the
 * same machine makes the same steps; whether it is the same is told by each state on the way.
 */
export function createReplay(kind: string, definition: ActorDefinition): Replay {
  const decide = createDecision(kind, definition);
  return (before, step) => {
    if (step.revision !== (before?.revision ?? 0) + 1) return null;
    const plan = decide(before, step);
    if (!plan || !isDeepStrictEqual(plain(plan.snapshot.value), plain(step.state))) return null;
    const dueAt = new Map(before?.dueAt);
    dueAt.delete(step.event.type);
    for (const timerId of plan.cancels) dueAt.delete(timerId);
    for (const { timerId, delayMs } of plan.arms) dueAt.set(timerId, step.at.getTime() + delayMs);
    const { snapshot } = plan;
    return { revision: step.revision, snapshot, dueAt, causes: causesOf(before, step) };
  };
}

/** Is this what was stored then, memory and all? */
export const isAsStored = ({ snapshot }: Moment, stored: StoredSnapshot): boolean =>
  isDeepStrictEqual(plain(snapshot.value), plain(stored.value)) &&
  isDeepStrictEqual(plain(snapshot.context), plain(stored.context));

interface Decision {
  readonly snapshot: StoredSnapshot;
  readonly arms: readonly ArmedTimer[];
  readonly cancels: readonly string[];
}

type Decide = (before: Moment | null, step: JournalStep) => Decision | null;

function createDecision(kind: string, definition: ActorDefinition): Decide {
  const { machine } = definition;
  const transition = createTransition(machine);
  const decide: Decide = (before, { revision, event }) => {
    const at = Number(event['at']);
    if (!before) {
      if (event.type !== `${kind}.created`) return null;
      return planBirth(definition, { kind, id: '', input: event['input'], eventId: '', at });
    }
    const state = restore(machine, before.snapshot);
    const [after, actions] = transition(state as never, event);
    // What changes nothing is not written, so whoever wrote this was another machine.
    if (after === state && actions.length === 0) return null;
    return planRows({ id: '', version: revision, before: before.snapshot, at }, after, actions);
  };
  return (before, step) => {
    try {
      return decide(before, step);
    } catch {
      // It was taken when it was written: what cannot take it is another machine.
      return null;
    }
  };
}

/** As the database gives it back. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function causesOf(before: Moment | null, step: JournalStep): Moment['causes'] {
  const old = (before?.snapshot.value ?? {}) as Readonly<Record<string, unknown>>;
  const moved = Object.entries(step.state as Readonly<Record<string, unknown>>).filter(
    ([region, state]) => !isDeepStrictEqual(plain(old[region] ?? null), state),
  );
  return { ...before?.causes, ...Object.fromEntries(moved.map(([region]) => [region, step])) };
}
