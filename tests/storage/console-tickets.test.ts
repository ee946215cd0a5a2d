import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { afterAll, expect, inject, test } from 'vitest';

import { createConsoleTickets, type Ticketed } from '../../src/storage/console-tickets.ts';
import { until } from '../support/until.ts';

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.disconnect());
const prefix = `t${randomBytes(6).toString('hex')}`;
const tickets = createConsoleTickets(redis, prefix);
const TICKETED: Ticketed = {
  ...{ vmid: 5_001, userId: 'u-1', credentialId: 's-1', scopes: null },
  role: 'user',
};

test('of many who bring the same ticket one has it', async () => {
  await tickets.keep('hash', TICKETED, 30);
  const taken = await Promise.all(Array.from({ length: 10 }, () => tickets.take('hash')));

  expect(taken.filter(Boolean)).toEqual([TICKETED]);
});

test('a ticket ends by itself', async () => {
  await tickets.keep('short', TICKETED, 1);
  const [key = ''] = await redis.keys(`${prefix}:*`);
  await until(async () => (await redis.exists(key)) === 0, { what: 'its end' });

  expect(await tickets.take('short')).toBeNull();
});

test('without Redis there are none, which is not the fault of who asks', async () => {
  const away = new Redis('redis://127.0.0.1:1', { lazyConnect: true, enableOfflineQueue: false });
  away.on('error', () => {});
  const none = createConsoleTickets(away, prefix);

  await expect(none.take('hash')).rejects.toMatchObject({ code: 'unavailable' });
  await expect(none.keep('hash', TICKETED, 1)).rejects.toMatchObject({ code: 'unavailable' });
});
