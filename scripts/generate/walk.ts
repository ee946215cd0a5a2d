import { type AnyMachineSnapshot, type AnyStateMachine, initialTransition } from 'xstate';

import { createTransition } from '../../src/actors/transition.ts';
import { restore } from '../../tests/support/model.ts';
import { descendantsOf } from './state-rows.ts';

interface AnyEvent {
  readonly type: string;
}

export interface Walk<S> {
  readonly machine: AnyStateMachine;
  /** What may happen in a state; of two ways of the same length the first one is taken. */
  readonly events: (snapshot: S) => readonly AnyEvent[];
  /** What decides where a region goes on to, beside its state. */
  readonly marksOf: (snapshot: S, region: string | undefined) => string;
}

export function birthOf<S>({ machine }: Walk<S>, input: unknown): S {
  const [initial] = initialTransition(machine, input as never);
  return restore(machine, initial as S);
}

/**
 * What a machine comes through, the shortest ways first. It goes on only from where a state is met
 * under a mark for the first time, so it is quick, and finds what needs no detour: whoever calls says
 * what must have been found.
 */
export function* walkFrom<S>({ machine, events, marksOf }: Walk<S>, from: S): Generator<S> {
  const step = createTransition(machine);
  const known = new Set<string>();
  const isNews = (snapshot: S): boolean => {
    const marks = idsOf(snapshot).map((id) => `${id} ${marksOf(snapshot, regionOf(id))}`);
    const isNew = marks.some((mark) => !known.has(mark));
    for (const mark of marks) known.add(mark);
    return isNew;
  };

  isNews(from);
  const open = [from];
  for (const snapshot of open) {
    yield snapshot;
    for (const event of events(snapshot)) {
      const [next] = step(snapshot as never, event as never);
      if (next !== snapshot && isNews(next as S)) open.push(restore(machine, next as S));
    }
  }
}

/** The region of a node, by its id. */
export const regionOf = (id: string): string | undefined => id.split('.')[1];

const idsOf = (snapshot: unknown): string[] =>
  (snapshot as AnyMachineSnapshot)._nodes.map(({ id }) => id);

/** Where each state is first met: on the way from this snapshot or, where that leads nowhere, from that one. */
export function meetFromEither<S>(walk: Walk<S>, [first, other]: readonly [S, S]): Map<string, S> {
  const ids = descendantsOf(walk.machine.root).map(({ id }) => id);
  const met = meetStates(walk, first, ids);
  const missing = ids.filter((id) => !met.has(id));
  return new Map([...met, ...meetStates(walk, other, missing)]);
}

/** Where each of these states is first met, by the id of its node; it looks no further than it must. */
export function meetStates<S>(walk: Walk<S>, from: S, ids: readonly string[]): Map<string, S> {
  const met = new Map<string, S>();
  const missing = new Set(ids);
  for (const snapshot of walkFrom(walk, from)) {
    for (const id of idsOf(snapshot)) {
      if (missing.delete(id)) met.set(id, snapshot);
    }
    if (missing.size === 0) break;
  }
  return met;
}
