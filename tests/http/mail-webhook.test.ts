import { afterAll, describe, expect, test } from 'vitest';

import { signEvent } from '../../lab/resend/webhook.ts';
import { readResendEvent } from '../../src/clients/mail/resend-events.ts';
import { ADMIN, ALICE, startTestApp } from '../support/app.ts';

const SECRET = `whsec_${Buffer.from('the key of Resend').toString('base64')}`;
const PATH = '/api/mail/webhook/resend';

const app = await startTestApp({ environment: { RESEND_WEBHOOK_SECRET: SECRET } });
afterAll(() => app[Symbol.asyncDispose]());
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];

const tell = (event: object, secret = SECRET) =>
  app.anonymous.call('POST', PATH, {
    body: event,
    headers: signEvent(secret, JSON.stringify(event)),
  });
const told = (type: string, data: object, created_at = '2026-01-01T00:00:00Z') => ({
  ...{ type, created_at, data },
});
const bounced = (email_id: string) => told('email.bounced', { email_id });

test('an address was not shown as dead when its mail came back after Resend had taken it', async () => {
  const { email } = (await alice.call('GET', '/api/auth/me')).body.user;
  const mail = { key: 'k', kind: 'restored', recipient: email, params: {}, state: 'sent' };
  await app.database.prisma.mail.create({
    data: { ...mail, transport: 'resend', messageId: 're-1', finishedAt: new Date() },
  });

  const first = await tell(bounced('re-1'));
  const again = await tell(bounced('re-1'));

  expect([first.body, again.body]).toEqual([
    { ok: true, isKnown: true },
    { ok: true, isKnown: true },
  ]);
  const me = (await alice.call('GET', '/api/auth/me')).body.user;
  expect(me.mailBouncedAt).not.toBeNull();
  const { users } = (await admin.call('GET', '/api/admin/users?search=alice')).body;
  expect(users).toMatchObject([{ mailBouncedAt: me.mailBouncedAt }]);
  const { mails } = (await admin.call('GET', '/api/admin/mails?state=bounced')).body;
  expect(mails).toMatchObject([{ recipient: email, error: 'email.bounced' }]);
});

test('what is about another mail, or is no bounce, changes nothing', async () => {
  const answers = [
    await tell(bounced('unknown')),
    await tell(told('email.opened', { email_id: 're-1' })),
    await tell({ type: 'contact.created' }),
  ];

  expect(answers.map(({ body }) => body)).toEqual(Array(3).fill({ ok: true, isKnown: false }));
});

test('one that is told of before we had written down its number was never found', async () => {
  const { email } = (await alice.call('GET', '/api/auth/me')).body.user;
  const mail = { key: 'k2', kind: 'restored', recipient: email, params: {}, state: 'sending' };
  const { id } = await app.database.prisma.mail.create({ data: { ...mail, transport: 'resend' } });

  const byTag = await tell(told('email.suppressed', { email_id: 're-2', tags: { mail: id } }));
  const soon = await tell(told('email.bounced', { email_id: 're-3' }, new Date().toISOString()));

  expect(byTag.body.isKnown).toBe(true);
  expect(await app.database.prisma.mail.findUnique({ where: { id } })).toMatchObject({
    ...{ state: 'bounced', error: 'email.suppressed' },
  });
  // It is told again, and is known then.
  expect(soon).toMatchObject({ status: 503, body: { error: 'unavailable' } });
});

test('an address is alive again when a mail has arrived, and not when one was merely taken', async () => {
  const bouncedAt = async () => (await alice.call('GET', '/api/auth/me')).body.user.mailBouncedAt;
  expect(await bouncedAt()).not.toBeNull();

  await tell(told('email.delivered', { email_id: 're-1' }));

  expect(await bouncedAt()).toBeNull();
});

test('what is signed by somebody else is refused', async () => {
  const other = `whsec_${Buffer.from('another key').toString('base64')}`;

  const answer = await tell(bounced('re-1'), other);

  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_input' } });
});

describe('a signature', () => {
  const NOW = 1_900_000_000_000;
  const body = JSON.stringify(bounced('re-1'));
  const read = (headers: Partial<ReturnType<typeof signEvent>>, now = NOW, text = body) =>
    readResendEvent(
      { secret: SECRET, now },
      {
        bytes: Buffer.from(text),
        id: headers['svix-id'],
        timestamp: headers['svix-timestamp'],
        signature: headers['svix-signature'],
      },
    );
  const signed = signEvent(SECRET, body, NOW);

  test('of this body, now, is believed, also beside those of other keys', () => {
    const two = { ...signed, 'svix-signature': `v1,AAAA ${signed['svix-signature']}` };

    expect(read(signed)).toMatchObject({ type: 'email.bounced', messageId: 're-1' });
    expect(read(two)).toMatchObject({ type: 'email.bounced', messageId: 're-1' });
  });

  test.each([
    ['of another body', () => read(signed, NOW, `${body} `)],
    ['of six minutes ago', () => read(signed, NOW + 360_000)],
    ['of a time that is none', () => read({ ...signed, 'svix-timestamp': 'soon' })],
    ['of another id', () => read({ ...signed, 'svix-id': 'msg_2' })],
    ['that is missing', () => read({})],
    ['of another version', () => read({ ...signed, 'svix-signature': 'v2,AAAA' })],
  ])('%s is not', (_, act) => {
    expect(act).toThrow('svix-signature');
  });

  test('does not make an event of what is none', () => {
    expect(() => read(signEvent(SECRET, '[]', NOW), NOW, '[]')).toThrow('not an event');
  });
});
