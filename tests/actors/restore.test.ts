import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect, test } from 'vitest';
import { setup } from 'xstate';

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

test('a context as the database answers it is no hash table after an assignment', () => {
  setFlagsFromString('--allow-natives-syntax');
  const isQuick = runInNewContext('(object) => %HasFastProperties(object)') as (
    object: object,
  ) => boolean;
  const members = Array.from({ length: 24 }, (_, index) => `"member${index}":${index}`);
  const context = JSON.parse(`{${members}}`);
  const stored = { value: { longer: 'off', short: 'on' }, context, status: 'active', since: {} };

  const restored = restore(machine, stored);

  // As XState assigns.
  expect(isQuick(Object.assign({}, restored.context, { member3: 1 }))).toBe(true);
  expect(restored.context).toEqual(context);
});
