import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect, test } from 'vitest';
import { assign, createMachine, setup } from 'xstate';

import { restore } from '../../src/actors/plan.ts';
import { createTransition } from '../../src/actors/transition.ts';

const asking = (kind: string) =>
  ({ entry: { type: 'effect', params: { effect: { kind } } } }) as const;

/** Two regions that answer the same event, named so that PostgreSQL would keep them turned round. */
const machine = setup({
  actions: { effect: (_: unknown, _params: { effect: { kind: string } }): void => {} },
}).createMachine({
  id: 'pair',
  type: 'parallel',
  states: {
    longer: { initial: 'off', states: { off: { on: { go: 'on' } }, on: asking('first') } },
    short: { initial: 'off', states: { off: { on: { go: 'on' } }, on: asking('second') } },
  },
});

test('the order of effects does not depend on how the database orders keys', () => {
  const transition = createTransition(machine);
  const kindsFrom = (value: object) => {
    const stored = { value, context: {}, status: 'active', since: {} };
    const [, actions] = transition(restore(machine, stored) as never, { type: 'go' });
    return actions.map(({ params }) => (params as { effect: { kind: string } }).effect.kind);
  };

  expect(kindsFrom({ longer: 'off', short: 'off' })).toEqual(['first', 'second']);
  expect(kindsFrom({ short: 'off', longer: 'off' })).toEqual(['first', 'second']);
});

test('actors in the same state share nothing but the state', () => {
  const stored = { value: { longer: 'off', short: 'on' }, status: 'active', since: {} };

  const one = restore(machine, { ...stored, context: { name: 'one' } });
  const two = restore(machine, { ...stored, context: { name: 'two' } });

  expect([one.context, two.context]).toEqual([{ name: 'one' }, { name: 'two' }]);
  expect(one.matches({ short: 'on' })).toBe(true);
});

test('a context as the database answers it is no hash table after a step', () => {
  setFlagsFromString('--allow-natives-syntax');
  const isQuick = runInNewContext('(object) => %HasFastProperties(object)') as (
    object: object,
  ) => boolean;
  const counter = createMachine({
    id: 'counter',
    context: {},
    on: {
      one: { actions: assign({ member3: 1 }) },
      all: { actions: assign(({ context }) => ({ ...context, member4: 2 })) },
    },
  });
  const step = createTransition(counter);
  const members = Array.from({ length: 24 }, (_, index) => `"member${index}":${index}`);
  const context = JSON.parse(`{${members}}`);
  const restored = restore(counter, { value: {}, context, status: 'active', since: {} });

  const [one] = step(restored as never, { type: 'one' });
  const [all] = step(one as never, { type: 'all' });

  expect([isQuick(one.context), isQuick(all.context)]).toEqual([true, true]);
  expect(all.context).toEqual({ ...context, member3: 1, member4: 2 });
});
