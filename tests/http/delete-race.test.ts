import { expect, test } from 'vitest';

import { NotFoundError } from '../../src/errors.ts';
import { createContainerDeletion } from '../../src/http/delete-container.ts';
import type { Instance } from '../../src/storage/instances.ts';

test('a deletion repeated in the moment in which the first one ends is not answered 404', async () => {
  const instance = {
    id: '5001-a',
    vmid: 5001,
    state: { context: { customerId: 'c-1' } },
  } as unknown as Instance;
  const released: string[] = [];
  const remove = createContainerDeletion({
    instances: {
      findByVmid: async () => instance,
      list: async () => [],
      listVmids: async () => [],
      filterArchived: async () => [],
      listArchived: async () => [
        { id: '5001-a', vmid: 5001, customerId: 'c-1', deletedAt: new Date(0) },
      ],
    },
    actors: { ask: () => Promise.reject(new NotFoundError('no instance with id 5001-a')) },
    debts: {
      list: async () => [],
      listOf: async () => [],
      owe: async () => {},
      pay: async () => {},
      postpone: async () => {},
    },
    vmids: { release: async (id) => void released.push(id) },
    sight: async () => null,
    collectSoon: () => {},
    randomId: () => 'r',
  });

  const deletion = await remove(
    5001,
    { userId: 'c-1', role: 'user', credentialId: 's-1', scopes: null },
    true,
  );

  expect(deletion).toEqual({ outcome: 'gone' });
  expect(released).toEqual(['5001-a']);
});
