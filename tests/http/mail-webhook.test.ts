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
const bounced = (email_id: string) => ({ type: 'email.bounced', data: { email_id } });

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
    await tell({ type: 'email.delivered', data: { email_id: 're-1' } }),
    await tell({ type: 'contact.created' }),
  ];

  expect(answers.map(({ body }) => body)).toEqual(Array(3).fill({ ok: true, isKnown: false }));
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

    expect(read(signed)).toEqual({ type: 'email.bounced', messageId: 're-1' });
    expect(read(two)).toEqual({ type: 'email.bounced', messageId: 're-1' });
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
