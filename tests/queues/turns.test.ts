import { expect, test } from 'vitest';

import { createTurns } from '../../src/queues/effects/turns.ts';
import { until } from '../support/until.ts';

function setUp() {
  const inTurn = createTurns();
  const log: string[] = [];
  return {
    log,
    enter(name: string, { subject = 's', signal = new AbortController().signal } = {}) {
      const { promise, resolve: end } = Promise.withResolvers<void>();
      const done = inTurn(subject, signal, async () => {
        log.push(name);
        await promise;
        return name;
      });
      return { done, end };
    },
  };
}

test('each has its turn in the order of asking; another subject is not waited for', async () => {
  const t = setUp();
  const [a, b, c] = [t.enter('a'), t.enter('b'), t.enter('c', { subject: 'other' })];
  await until(() => t.log.length === 2, { what: 'two to enter' });
  const before = [...t.log];

  for (const one of [a, b, c]) one.end();
  await Promise.all([a.done, b.done, c.done]);

  expect(before).toEqual(['a', 'c']);
  expect(t.log).toEqual(['a', 'c', 'b']);
});

test('who gives up leaves at once, and lets nobody in before those ahead have left', async () => {
  const t = setUp();
  const impatient = new AbortController();
  const a = t.enter('a');
  const b = t.enter('b', { signal: impatient.signal });
  await until(() => t.log.length === 1, { what: 'the first to enter' });

  impatient.abort(new Error('superseded'));
  await expect(b.done).rejects.toThrow('superseded');
  const c = t.enter('c');
  await Promise.resolve();
  const before = [...t.log];
  for (const one of [a, c]) one.end();
  await Promise.all([a.done, c.done]);

  expect(before).toEqual(['a']);
  expect(t.log).toEqual(['a', 'c']);
});

test('a turn that fails is a turn', async () => {
  const inTurn = createTurns();
  const { signal } = new AbortController();

  const failing = inTurn('s', signal, () => Promise.reject(new Error('no')));
  const next = inTurn('s', signal, async () => 'next');

  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('next');
});
