import { afterAll, expect, test } from 'vitest';

import { createRetention } from '../../src/storage/retention.ts';
import { createUsers } from '../../src/storage/users.ts';
import { createTestDatabase } from '../support/database.ts';

const database = await createTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { prisma } = database;
const DAY_MS = 24 * 3_600_000;
const ago = (days: number) => new Date(Date.now() - days * DAY_MS);

test('what ended long ago is forgotten, and nothing else', async () => {
  const ann = { id: 'u-ann', email: 'ann@zpack.test', username: 'ann', role: 'user' } as const;
  await createUsers(prisma).upsert({ ...ann, displayName: null, passwordHash: '' });
  const userId = ann.id;
  const createdAt = ago(500);
  for (const [id, expiresAt, revokedAt] of [
    ['expired', ago(31), null],
    ['revoked', ago(-9), ago(31)],
    ['expired of late', ago(29), null],
    ['alive', ago(-9), null],
  ] as const) {
    const times = { createdAt, expiresAt, revokedAt };
    await prisma.session.create({ data: { id, userId, ...times } });
    for (const nth of [1, 2]) {
      await prisma.refreshToken.create({
        data: { hash: `${id} ${nth}`, sessionId: id, createdAt },
      });
    }
    const token = { id, userId, name: id, hash: id, scopes: [], ...times };
    await prisma.apiToken.create({ data: token });
    await prisma.passwordReset.create({ data: { hash: id, userId, createdAt, expiresAt } });
  }
  const mail = { kind: 'x', recipient: 'x', params: {}, createdAt };
  for (const [key, state, finishedAt] of [
    ['old', 'sent', ago(91)],
    ['late', 'sent', ago(89)],
    ['never sent', 'queued', null],
  ] as const) {
    await prisma.mail.create({ data: { ...mail, key, state, finishedAt } });
  }
  for (const at of [ago(401), ago(399)]) {
    const entry = { at, action: 'x', outcome: 'done', detail: {} };
    await prisma.auditEntry.create({ data: entry });
  }
  for (const [version, type, at] of [
    [1, 'stripe.changed', ago(31)],
    [2, 'subscription.observed', ago(31)],
    [3, 'upgrade.requested', ago(31)],
    [4, 'stripe.changed', ago(29)],
  ] as const) {
    const row = { instanceId: 'sub-u-ann', version, eventId: `e${version}`, event: { type }, at };
    await prisma.subscriptionJournal.create({ data: { ...row, state: {} } });
  }
  const forget = createRetention(database.pool, { audit: 400, mails: 90 });

  const first = await forget(new AbortController().signal);
  const second = await forget(new AbortController().signal);

  expect(first).toEqual({
    ...{ refreshTokens: 4, sessions: 2, apiTokens: 2, resets: 1, mails: 1, audit: 1 },
    comparisons: 2,
  });
  expect(Object.values(second).every((count) => count === 0)).toBe(true);
  const left = await prisma.session.findMany({ select: { id: true }, orderBy: { id: 'asc' } });
  expect(left).toEqual([{ id: 'alive' }, { id: 'expired of late' }]);
  expect(await prisma.refreshToken.count()).toBe(4);
  expect(await prisma.mail.findMany({ select: { key: true }, orderBy: { key: 'asc' } })).toEqual([
    ...[{ key: 'late' }, { key: 'never sent' }],
  ]);
});

test('it stops at once when its node shuts down', async () => {
  const forget = createRetention(database.pool, { audit: 400, mails: 90 });

  await expect(forget(AbortSignal.abort(new Error('shutting down')))).rejects.toThrow('shutting');
});
