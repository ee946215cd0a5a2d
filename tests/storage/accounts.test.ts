import { afterAll, expect, test } from 'vitest';
import { createAccounts } from '../../src/storage/accounts.ts';
import type { AuditEntry } from '../../src/storage/audit.ts';
import { createSessions } from '../../src/storage/sessions.ts';
import { createUsers } from '../../src/storage/users.ts';
import { createTestDatabase } from '../support/database.ts';

const HOUR_MS = 3_600_000;
const at = new Date('2026-11-24T12:00:00Z');
const later = (ms: number) => new Date(at.getTime() + ms);
const audit: AuditEntry = {
  ...{ actorId: null, subjectId: null, action: 'x.tested', outcome: 'done', ip: null, detail: {} },
};

const database = await createTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { prisma } = database;
const users = createUsers(prisma);
const accounts = createAccounts(prisma);
const sessions = createSessions(database);

/** An account of its own for each test. */
async function addUser(id: string, role: 'user' | 'admin' = 'user') {
  await users.upsert({ id, email: `${id}@zpack.test`, username: id, role, passwordHash: 'h' });
  const open = (sessionId: string, when: Date) =>
    sessions.open(
      {
        ...{ id: sessionId, userId: id, userAgent: null, refreshHash: `${sessionId}/0` },
        ...{ at: when, expiresAt: new Date(when.getTime() + HOUR_MS) },
      },
      { passwordHash: 'h', audit },
    );
  const rotate = (sessionId: string, nth: number, when: Date) =>
    sessions.rotate({
      ...{
        sessionId,
        userId: id,
        hash: `${sessionId}/${nth}`,
        nextHash: `${sessionId}/${nth + 1}`,
      },
      ...{ at: when, expiresAt: new Date(when.getTime() + HOUR_MS), replayAudit: audit },
      forgetBefore: new Date(when.getTime() - HOUR_MS),
    });
  return { open, rotate };
}

test('two administrators who take the role from each other at the same moment leave one', async () => {
  await addUser('one', 'admin');
  await addUser('two', 'admin');

  const settled = await Promise.allSettled([
    accounts.changeRole('one', 'user', () => audit),
    accounts.changeRole('two', 'user', () => audit),
  ]);

  expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(settled.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'conflict' },
  });
  expect(await prisma.user.count({ where: { role: 'admin' } })).toBe(1);
});

test('a session lives as long as it is used, and no longer', async () => {
  const { open, rotate } = await addUser('lasting');
  await open('lasts', at);

  expect(await rotate('lasts', 0, later(HOUR_MS - 1))).toBe('rotated');
  expect(await rotate('lasts', 1, later(2 * HOUR_MS - 2))).toBe('rotated');
  expect(await rotate('lasts', 2, later(3 * HOUR_MS - 2))).toBe('refused');
  expect(await rotate('lasts', 9, later(2 * HOUR_MS))).toBe('refused');
});

test('a session that has ended gives no more tokens, and is not said to be stolen', async () => {
  const { open, rotate } = await addUser('leaving');
  await open('ends', at);
  const one = { id: 'ends', userId: 'leaving', at };
  await sessions.revoke(one, { revokedFor: 'logout', audit });
  const before = await prisma.auditEntry.count();

  const outcomes = [await rotate('ends', 0, later(1)), await rotate('ends', 0, later(2))];

  expect(outcomes).toEqual(['refused', 'refused']);
  expect(await prisma.refreshToken.count({ where: { sessionId: 'ends' } })).toBe(1);
  expect(await prisma.auditEntry.count()).toBe(before);
});

test('the sign-in that was used longest ago ends when there are more than fifty', async () => {
  const { open, rotate } = await addUser('everywhere');
  for (let nth = 0; nth < 50; nth += 1) await open(`device-${nth}`, later(nth));
  await rotate('device-0', 0, later(60));

  await open('one-more', later(61));

  const ended = await prisma.session.findMany({
    where: { userId: 'everywhere', NOT: { revokedAt: null } },
  });
  expect(ended).toMatchObject([{ id: 'device-1', revokedFor: 'too_many' }]);
});

test('a session that cannot be written down in the audit is not opened', async () => {
  const { open } = await addUser('unseen');
  await database.pool.query('ALTER TABLE audit_entry RENAME TO elsewhere');

  await expect(open('unseen', at)).rejects.toThrow();

  await database.pool.query('ALTER TABLE elsewhere RENAME TO audit_entry');
  expect(await prisma.session.count({ where: { userId: 'unseen' } })).toBe(0);
});

test('a password that was changed after it had been checked opens no session', async () => {
  const { open } = await addUser('late');
  await prisma.user.update({ where: { id: 'late' }, data: { passwordHash: 'another' } });

  expect(await open('late', at)).toBe(false);

  expect(await prisma.session.count({ where: { userId: 'late' } })).toBe(0);
});

test('an account is brought to what is given, and keeps what is not', async () => {
  await addUser('changing');
  const given = { id: 'changing', email: 'NEW@zpack.test', username: 'New', passwordHash: 'h2' };

  await users.rename('changing', { firstName: 'Ada' });
  await users.upsert({ ...given, role: 'user', displayName: 'The new one' });

  expect(await users.findByIdentifier('nEW')).toMatchObject({
    ...{ email: 'new@zpack.test', username: 'New', firstName: 'Ada', displayName: 'The new one' },
    ...{ role: 'user', passwordHash: 'h2' },
  });
  expect(await users.findTaken({ email: 'x@zpack.test', username: 'NEW' })).toBe('username');
});
