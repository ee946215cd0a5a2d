import { assign, setup } from 'xstate';
import { planBirth } from '../../src/actors/birth.ts';
import type { ActorDefinition } from '../../src/actors/definition.ts';
import { createInstanceStore } from '../../src/storage/instance-store.ts';
import type { TestDatabase } from './database.ts';

interface ToyContext {
  readonly customerId: string;
  readonly count: number;
  readonly debts: readonly object[];
  readonly [field: string]: unknown;
}

type ToyEvent =
  | { type: 'work.requested' }
  | { type: 'work.done' }
  | { type: 'count.added' }
  | { type: 'end.requested' };

/** The smallest machine that has an effect, a deadline, a no-op, a counter and an end. */
const toyMachine = setup({
  types: { context: {} as ToyContext, events: {} as ToyEvent, tags: {} as 'archived' },
  actions: { effect: (_: unknown, _params: { effect: { kind: string } }): void => {} },
  delays: { workDeadline: 1_000 },
}).createMachine({
  id: 'toy',
  initial: 'idle',
  context: {
    customerId: 'c-1',
    ctype: 'game',
    hostname: 'toy',
    count: 0,
    debts: [],
    payload: {},
    allocatedPorts: [],
    operation: {},
  },
  on: {
    'count.added': { actions: assign({ count: ({ context }) => context.count + 1 }) },
    'end.requested': '.ended',
  },
  states: {
    idle: { on: { 'work.requested': 'working' } },
    working: {
      entry: { type: 'effect', params: { effect: { kind: 'toy.work' } } },
      on: { 'work.done': 'idle' },
      after: { workDeadline: 'late' },
    },
    late: { on: { 'work.requested': 'working' } },
    ended: { tags: 'archived' },
  },
});

export const toyDefinition: ActorDefinition = {
  machine: toyMachine,
  machineVersion: 1,
  migrations: {},
  explain: (_, event) => ({ code: 'not_now', message: `${event.type} is not possible now` }),
  allowedActions: (snapshot) =>
    ['work.requested', 'end.requested'].filter((type) => snapshot.can({ type } as never)),
};

export const toyAt = (vmid: number) => ({ kind: 'toy', id: `${vmid}-toy` });

export async function createToys(database: TestDatabase, vmids: readonly number[]): Promise<void> {
  const store = createInstanceStore(database.pool);
  for (const vmid of vmids) {
    const { id } = toyAt(vmid);
    await store.create({
      vmid,
      step: planBirth(toyDefinition, { kind: 'toy', id, input: {}, eventId: 'born', at: 1 }),
    });
  }
}
