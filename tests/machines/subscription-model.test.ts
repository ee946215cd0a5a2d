import { expect, test } from 'vitest';
import { type AnyStateMachine, type AnyStateNode, getNextTransitions } from 'xstate';

import { subscriptionMachine } from '../../src/machines/subscription/machine.ts';
import { explore, type Step, search } from '../support/model.ts';
import { type SubscriptionSnapshot, subscriptionModel } from '../support/subscription-model.ts';
import { stateIds } from './invariants.ts';

type Invariant = (snapshot: SubscriptionSnapshot) => boolean;

const BLOCKED: readonly unknown[] = ['suspended', 'canceled', 'expiring', 'expired'];
const isIn = (state: unknown, name: string) =>
  typeof state === 'object' && state !== null && Object.values(state)[0] === name;

const INVARIANTS: Readonly<Record<string, Invariant>> = {
  'INV-35 containers are suspended exactly while nothing is paid for that was': (s) =>
    BLOCKED.includes(s.value.standing) === (s.context.suspendedAt !== null),
  'INV-36 what is suspended is kept until a time that is known': (s) =>
    (s.context.suspendedAt === null) === (s.context.keptUntil === null),
  'INV-37 one reading is in flight exactly while the region reads': (s) =>
    (s.value.sync === 'reading') === (s.context.ops.sync !== null),
  'INV-38 one change is in flight exactly while the region performs it': (s) =>
    isIn(s.value.change, 'performing') === (s.context.ops.change !== null),
  'INV-39 a change runs exactly while the region changes': (s) =>
    (s.value.change !== 'idle') === (s.context.change?.state === 'running'),
  'INV-40 nobody is reminded of what is not due': (s) =>
    s.value.reminders === 'quiet' || s.value.standing === 'past_due',
  'INV-41 what was overtaken is read again': (s) =>
    !s.context.isStale || s.value.sync === 'reading' || s.value.sync === 'pausing',
  'INV-48 nothing is deleted before Stripe was asked after the time was up': (s) =>
    s.value.standing !== 'expiring' ||
    s.value.sync === 'pausing' ||
    (s.value.sync === 'reading' &&
      (s.context.isStale || Number(s.context.ops.sync?.id) > s.context.checkAfter)),
  'INV-53 nothing is about to be deleted of an administrator': (s) =>
    (s.value.exemption === 'exempt') === s.context.isExempt &&
    !(s.context.isExempt && s.value.standing === 'expiring'),
  'INV-42 a transient state of a subscription has a deadline': (s) =>
    nodesOf(s)
      .filter(({ tags }) => tags.includes('transient'))
      .every(({ id }) =>
        getNextTransitions(s).some(
          ({ eventType, source }) =>
            eventType.startsWith('xstate.after.') && `${source.id}.`.startsWith(`${id}.`),
        ),
      ),
};

const nodesOf = (snapshot: SubscriptionSnapshot) =>
  (snapshot as unknown as { _nodes: readonly AnyStateNode[] })._nodes;

interface Decided {
  /** By how much the number of the last decision has risen. */
  readonly rise: number;
  readonly last: number;
  readonly orders: readonly number[];
}

/** The decisions on containers that a step asks for. */
function decisionsOf({ before, after, actions }: Step<SubscriptionSnapshot>): Decided {
  const orders = actions
    .map(({ params }) => (params as { effect?: { kind: string; order: number } }).effect)
    .filter((effect) => effect?.kind === 'billing.apply' || effect?.kind === 'billing.expire')
    .map((effect) => effect?.order ?? Number.NaN);
  const last = after.context.order;
  return { rise: last - before.context.order, last, orders };
}

function check(machine: AnyStateMachine) {
  const decided: Decided[] = [];
  const world = explore(subscriptionModel(machine), (step) => decided.push(decisionsOf(step)));
  const violations: Record<string, string> = {};
  const visited = new Set<string>();
  for (const { key, snapshot } of world.nodes.values()) {
    for (const { id } of nodesOf(snapshot)) visited.add(id);
    for (const [name, holds] of Object.entries(INVARIANTS)) {
      if (!holds(snapshot)) violations[name] ??= key;
    }
  }
  const usable = world.reaching((s) => s.value.standing === 'active');
  for (const key of world.nodes.keys()) if (!usable.has(key)) violations['paying helps'] ??= key;
  return { world, violations, visited, decided };
}

/** Ends with the first state that breaks it. */
const canBreak = (machine: AnyStateMachine, invariant: string): boolean =>
  search(subscriptionModel(machine)).some(
    ([{ snapshot }]) => INVARIANTS[invariant]?.(snapshot) === false,
  );

const checked = check(subscriptionMachine);

test('every reachable state of the subscription machine keeps every invariant', () => {
  const { world, violations, visited } = checked;

  console.log(`${world.nodes.size} states, ${world.transitions} transitions explored`);
  expect(violations).toEqual({});
  expect(stateIds(subscriptionMachine.root).filter((id) => !visited.has(id))).toEqual([
    // It is left in the step in which it is entered.
    'subscription.sync.read',
  ]);
  expect(world.nodes.size).toBeGreaterThan(200);
});

test('each decision on containers is asked for with its own number, and the last one stands', () => {
  const { decided } = checked;
  const wrong = decided.filter(
    ({ rise, last, orders }) => rise !== orders.length || orders.some((order) => order !== last),
  );

  expect(wrong).toEqual([]);
  expect(decided.flatMap(({ orders }) => orders).length).toBeGreaterThan(20);
});

test.each([
  [
    'nobody looks whether a reading was overtaken',
    { isStale: () => false },
    'INV-41 what was overtaken is read again',
  ],
  [
    'reminders do not look whether it is still due',
    { isPastDue: () => true },
    'INV-40 nobody is reminded of what is not due',
  ],
])('the check fails for a machine in which %s', (_, guards, invariant) => {
  const broken = subscriptionMachine.provide({ guards: guards as never }) as AnyStateMachine;

  expect(canBreak(broken, invariant)).toBe(true);
});
