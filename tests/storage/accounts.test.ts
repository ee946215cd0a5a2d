import { expect, test } from 'vitest';
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

async function setUp() {
  const database = await createTestDatabase();
  const users = createUsers(database.prisma);
  for (const id of ['one', 'two']) {
    const email = `${id}@zpack.test`;
    await users.upsert({ id, email, username: id, role: 'admin', passwordHash: 'h' });
  }
  const sessions = createSessions(database);
  const open = (id: string, when: Date) =>
    sessions.open(
      {
        ...{ id, userId: 'one', userAgent: null, refreshHash: `${id}/0` },
        ...{ at: when, expiresAt: new Date(when.getTime() + HOUR_MS) },
      },
      { passwordHash: 'h', audit },
    );
  const rotate = (id: string, nth: number, when: Date) =>
    sessions.rotate({
      ...{ sessionId: id, userId: 'one', hash: `${id}/${nth}`, nextHash: `${id}/${nth + 1}` },
      ...{ at: when, expiresAt: new Date(when.getTime() + HOUR_MS), replayAudit: audit },
      forgetBefore: new Date(when.getTime() - HOUR_MS),
    });
  const { prisma } = database;
  return {
    ...{ database, prisma, users, accounts: createAccounts(prisma), sessions, open, rotate },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

test('two administrators who take the role from each other at the same moment leave one', async () => {
  await using t = await setUp();

  const settled = await Promise.allSettled([
    t.accounts.changeRole('one', 'user', () => audit),
    t.accounts.changeRole('two', 'user', () => audit),
  ]);

  expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(settled.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'conflict' },
  });
  expect(await t.prisma.user.count({ where: { role: 'admin' } })).toBe(1);
});

test('a session lives as long as it is used, and no longer', async () => {
  await using t = await setUp();
  await t.open('s', at);

  expect(await t.rotate('s', 0, later(HOUR_MS - 1))).toBe('rotated');
  expect(await t.rotate('s', 1, later(2 * HOUR_MS - 2))).toBe('rotated');
  expect(await t.rotate('s', 2, later(3 * HOUR_MS - 2))).toBe('refused');
  expect(await t.rotate('s', 9, later(2 * HOUR_MS))).toBe('refused');
});

test('a session that has ended gives no more tokens, and is not said to be stolen', async () => {
  await using t = await setUp();
  await t.open('s', at);
  await t.sessions.revoke({ id: 's', userId: 'one', at }, { revokedFor: 'logout', audit });
  const before = await t.prisma.auditEntry.count();

  const outcomes = [await t.rotate('s', 0, later(1)), await t.rotate('s', 0, later(2))];

  expect(outcomes).toEqual(['refused', 'refused']);
  expect(await t.prisma.refreshToken.count()).toBe(1);
  expect(await t.prisma.auditEntry.count()).toBe(before);
});

test('what has ended long ago is removed when somebody signs in again', async () => {
  await using t = await setUp();
  await t.open('old', at);
  await t.rotate('old', 0, later(1));

  await t.open('new', later(40 * 24 * HOUR_MS));

  expect((await t.prisma.session.findMany()).map(({ id }) => id)).toEqual(['new']);
  expect((await t.prisma.refreshToken.findMany()).map(({ hash }) => hash)).toEqual(['new/0']);
});

test('a session that cannot be written down in the audit is not opened', async () => {
  await using t = await setUp();
  await t.database.pool.query('ALTER TABLE audit_entry RENAME TO elsewhere');

  await expect(t.open('s', at)).rejects.toThrow();

  expect(await t.prisma.session.count()).toBe(0);
});

test('an account is brought to what is given, and keeps what is not', async () => {
  await using t = await setUp();
  const given = { id: 'one', email: 'ONE@zpack.test', username: 'One', passwordHash: 'h2' };

  await t.users.rename('one', { firstName: 'Ada' });
  await t.users.upsert({ ...given, role: 'user', displayName: 'Number one' });

  expect(await t.users.findByIdentifier('oNE')).toMatchObject({
    ...{ email: 'one@zpack.test', username: 'One', firstName: 'Ada', displayName: 'Number one' },
    ...{ role: 'user', passwordHash: 'h2' },
  });
  expect(await t.users.findTaken({ email: 'x@zpack.test', username: 'ONE' })).toBe('username');
});
