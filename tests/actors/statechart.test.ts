import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createMachine,
  raise,
  transition,
} from 'xstate';

import { restore } from '../../src/actors/plan.ts';
import { type Action, createTransition } from '../../src/actors/transition.ts';
import { buildMachine, randomEvents, randomMachine } from '../support/random-machine.ts';

const seen = ({ value, context, status }: AnyMachineSnapshot, actions: readonly Action[]) => ({
  ...{ value, context, status },
  actions: actions.map(({ type, params }) => ({ type, params })),
});

type Step = readonly [AnyMachineSnapshot, readonly Action[]];

/** A machine may go round in circles: then both must say so, each in its own words. */
function attempt(step: () => Step, endless: RegExp): Step | 'endless' {
  try {
    return step();
  } catch (error) {
    expect(String(error)).toMatch(endless);
    return 'endless';
  }
}

describe('a step of any machine', () => {
  test('is the one that XState takes', () => {
    let compared = 0;
    let endless = 0;
    const takesTheSame = fc.property(randomMachine, randomEvents, (random, events) => {
      const machine = buildMachine(random);
      const ours = createTransition(machine);
      let stored = { value: startOf(machine), context: { count: 0 } as object };
      for (const type of events) {
        const before = restore(machine, { ...stored, status: 'active', since: {} });
        const mine = attempt(() => ours(before as never, { type }), /takes \w+ for ever/);
        const theirs = attempt(
          () => transition(machine, before as never, { type }) as unknown as Step,
          /Infinite loop detected/,
        );
        if (mine === 'endless' || theirs === 'endless') {
          endless += 1;
          expect([mine, theirs]).toEqual(['endless', 'endless']);
          return;
        }
        compared += 1;
        expect(seen(...mine)).toEqual(seen(...theirs));
        expect(mine[0] === before).toBe(theirs[0] === before);
        stored = { value: mine[0].value, context: mine[0].context };
      }
    });

    fc.assert(takesTheSame, { numRuns: 400, seed: 1 });

    expect(compared).toBeGreaterThan(1_000);
    expect(endless).toBeGreaterThan(5);
  });
});

/** Where it would begin, without what it would do then. */
const startOf = (machine: AnyStateMachine): unknown =>
  machine.resolveState({ value: {}, context: {} } as never).value;

describe('a machine that could not be stored is refused:', () => {
  const refusals: readonly (readonly [string, object, RegExp])[] = [
    ['a final state', { initial: 'a', states: { a: { type: 'final' } } }, /uses final/],
    [
      'a history state',
      { initial: 'a', states: { a: {}, h: { type: 'history' } } },
      /uses history/,
    ],
    ['an actor of its own', { invoke: { src: 'other' } }, /uses invoke/],
    [
      'what it does whenever a part of it begins',
      { initial: { target: 'a', actions: 'effect' }, states: { a: {} } },
      /uses actions of an initial/,
    ],
    [
      'a step to two places',
      {
        type: 'parallel',
        on: { go: { target: ['.a', '.b'] } },
        states: { a: {}, b: {} },
      },
      /uses several targets/,
    ],
    ['an answer to any event', { on: { '*': {} } }, /uses \*/],
  ];
  test.each(refusals)('%s', (_, config, message) => {
    const machine = createMachine({ id: 'odd', ...config });

    expect(() => createTransition(machine)).toThrow(message);
  });

  test('an event that it would send to itself at once', () => {
    const machine = createMachine({
      id: 'odd',
      on: { go: { actions: raise({ type: 'again' }) }, again: {} },
    });
    const before = restore(machine, { value: {}, context: {}, status: 'active', since: {} });

    expect(() => createTransition(machine)(before as never, { type: 'go' })).toThrow(
      'again is raised without a delay',
    );
  });

  test('a deadline that nobody has set', () => {
    const machine = createMachine({
      ...{ id: 'odd', initial: 'off' },
      states: { off: { on: { go: 'on' } }, on: { after: { never: 'off' } } },
    } as never);
    const before = restore(machine, { value: 'off', context: {}, status: 'active', since: {} });

    expect(() => createTransition(machine)(before as never, { type: 'go' })).toThrow(
      'xstate.after.never.odd.on is raised without a delay',
    );
  });
});
