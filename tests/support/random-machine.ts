import fc from 'fast-check';
import {
  type AnyStateMachine,
  and,
  assign,
  createMachine,
  enqueueActions,
  not,
  or,
  stateIn,
} from 'xstate';

/** Machines of any shape, with transitions from anywhere to anywhere. */

interface Shape {
  readonly type: 'atomic' | 'compound' | 'parallel';
  readonly children: readonly Shape[];
}

interface Rule {
  readonly from: number;
  readonly event: string;
  readonly to: number | null;
  readonly reenter: boolean;
  readonly guard: Guard;
  readonly acts: readonly Act[];
}

type Guard =
  | { readonly kind: 'none' }
  | { readonly kind: 'count'; readonly modulus: number; readonly rest: number }
  | { readonly kind: 'in'; readonly node: number }
  | { readonly kind: 'not' | 'named'; readonly guard: Guard }
  | { readonly kind: 'and' | 'or'; readonly guards: readonly Guard[] };

type Act = 'count' | 'effect' | 'params' | 'copy' | 'look';

const ATOMIC: Shape = { type: 'atomic', children: [] };
const EVENTS = ['a', 'b', 'c', ''];

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.constant(ATOMIC),
    fc.record({
      type: fc.constant('compound' as const),
      children: fc.array(tie('shape'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      type: fc.constant('parallel' as const),
      children: fc.array(tie('shape'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

const { guard } = fc.letrec<{ guard: Guard }>((tie) => ({
  guard: fc.oneof(
    { maxDepth: 2 },
    fc.constant<Guard>({ kind: 'none' }),
    fc.record({
      kind: fc.constant('count' as const),
      modulus: fc.integer({ min: 2, max: 4 }),
      rest: fc.integer({ min: 0, max: 3 }),
    }),
    fc.record({ kind: fc.constant('in' as const), node: fc.nat() }),
    fc.record({ kind: fc.constantFrom('not', 'named'), guard: tie('guard') }),
    fc.record({
      kind: fc.constantFrom('and', 'or'),
      guards: fc.array(tie('guard'), { minLength: 1, maxLength: 2 }),
    }),
  ),
}));

const rule: fc.Arbitrary<Rule> = fc.record({
  from: fc.nat(),
  event: fc.constantFrom(...EVENTS),
  to: fc.option(fc.nat()),
  reenter: fc.boolean(),
  guard,
  acts: fc.array(fc.constantFrom<Act>('count', 'effect', 'params', 'copy', 'look'), {
    maxLength: 3,
  }),
});

export const randomMachine = fc.record({
  root: fc.record({
    type: fc.constantFrom('compound' as const, 'parallel' as const),
    children: fc.array(shape, { minLength: 2, maxLength: 3 }),
  }),
  rules: fc.array(rule, { minLength: 3, maxLength: 14 }),
});

export const randomEvents = fc.array(fc.constantFrom('a', 'b', 'c', 'unknown'), {
  minLength: 4,
  maxLength: 8,
});

interface Seen {
  readonly context: { readonly count: number };
}

interface Config {
  readonly id: string;
  readonly on: Record<string, object[]>;
  readonly always: object[];
  readonly [member: string]: unknown;
}

/** A machine whose every node says when it is entered and left, and waits with a deadline. */
export function buildMachine({ root, rules }: { root: Shape; rules: readonly Rule[] }) {
  const nodes: Config[] = [];
  const guards: Record<string, unknown> = {};
  const config = toConfig(root, nodes);
  const at = (place: number) => nodes[place % nodes.length] as Config;
  for (const { from, event, to, reenter, guard: wanted, acts } of rules) {
    const { on, always } = at(from);
    const list = event === '' ? always : (on[event] ?? []);
    if (event !== '') on[event] = list;
    const guard = toGuard(wanted, (place) => at(place).id, guards);
    list.push({
      ...(to !== null && { target: `#${at(to).id}` }),
      ...{ reenter, guard, actions: acts.map((act) => toAction(act, guard)) },
    });
  }
  return createMachine(
    { ...config, context: { count: 0 }, options: { maxIterations: 20 } } as never,
    { delays: { pause: 1_000 }, guards: guards as never },
  ) as AnyStateMachine;
}

const tell = (what: string) => ({ type: 'effect', params: { what } });

function toConfig({ type, children }: Shape, nodes: Config[]): Config {
  const id = `n${nodes.length}`;
  const states: Record<string, Config> = {};
  const config: Config = {
    ...{ id, type, states, on: {}, always: [] },
    ...{ entry: tell(`enter ${id}`), exit: tell(`leave ${id}`) },
    after: { pause: { actions: 'effect' } },
    ...(type === 'compound' && { initial: 's0' }),
  };
  nodes.push(config);
  for (const [index, child] of children.entries()) states[`s${index}`] = toConfig(child, nodes);
  return config;
}

function toGuard(
  guard: Guard,
  idAt: (place: number) => string,
  named: Record<string, unknown>,
): unknown {
  const inner = (one: Guard) => toGuard(one, idAt, named) as never;
  switch (guard.kind) {
    case 'none':
      return () => true;
    case 'count':
      return ({ context }: Seen) => context.count % guard.modulus === guard.rest;
    case 'in':
      return stateIn(`#${idAt(guard.node)}`);
    case 'not':
      return not(inner(guard.guard));
    case 'and':
      return and(guard.guards.map(inner));
    case 'or':
      return or(guard.guards.map(inner));
    case 'named': {
      const implementation = inner(guard.guard);
      const name = `guard${Object.keys(named).length}`;
      named[name] = implementation;
      return name;
    }
  }
}

function toAction(act: Act, guard: unknown): unknown {
  switch (act) {
    case 'count':
      return assign({ count: ({ context }: Seen) => context.count + 1 });
    case 'copy':
      return assign(({ context }: Seen) => ({ ...context, copied: context.count }));
    case 'effect':
      return 'effect';
    case 'params':
      return { type: 'effect', params: ({ context }: Seen) => ({ count: context.count }) };
    case 'look':
      return enqueueActions(({ check, enqueue }) => {
        if (check(guard as never)) enqueue(tell('looked') as never);
        enqueue.assign({ looked: true } as never);
      });
  }
}
