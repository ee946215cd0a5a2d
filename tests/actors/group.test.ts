import { expect, test } from 'vitest';

import { createGroup } from '../../src/actors/group.ts';

function setUp({ inFlightMax }: { inFlightMax: number }) {
  const batches: { items: readonly number[]; end: (error?: Error) => void }[] = [];
  const send = createGroup<number, number>(
    (items) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) =>
          error ? reject(error) : resolve(items.map((item) => item * 2));
        batches.push({ items, end });
      }),
    { sizeMax: 100, inFlightMax },
  );
  const sendMany = (count: number) => Promise.all(Array.from({ length: count }, (_, i) => send(i)));
  return { batches, sendMany, turn: () => new Promise((resolve) => setImmediate(resolve)) };
}

test('what arrives together is shared out among the free places', async () => {
  const { batches, sendMany, turn } = setUp({ inFlightMax: 2 });

  const sent = sendMany(90);
  await turn();
  const sizes = batches.map(({ items }) => items.length);
  for (const { end } of batches) end();

  expect(sizes).toEqual([45, 45]);
  expect((await sent).at(-1)).toBe(178);
});

test('a few items are not shared out, and what comes meanwhile is the next batch', async () => {
  const { batches, sendMany, turn } = setUp({ inFlightMax: 1 });

  const first = sendMany(10);
  await turn();
  const second = sendMany(20);
  await turn();
  const before = batches.map(({ items }) => items.length);
  batches[0]?.end();
  await first;
  await turn();
  batches[1]?.end();
  await second;

  expect(before).toEqual([10]);
  expect(batches.map(({ items }) => items.length)).toEqual([10, 20]);
});

test('an item that fails a batch fails alone', async () => {
  const send = createGroup<number, number>(
    async (items) => {
      if (items.includes(3)) throw new Error('three');
      return items;
    },
    { sizeMax: 100, inFlightMax: 1 },
  );

  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(send));

  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
});
