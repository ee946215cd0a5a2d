import { expect, test } from 'vitest';

import { createMailer, type MailTransport } from '../../src/clients/mail/client.ts';
import { createConsoleTransport } from '../../src/clients/mail/console.ts';
import { createSmtpTransport } from '../../src/clients/mail/smtp.ts';
import { describeTransport } from './mail-contract.ts';
import { begin, FROM, MESSAGE, setUpResend, setUpSink, startPlainServer } from './mail-world.ts';

const ECHO = `554 spam: ${MESSAGE.text}`;

async function setUpSmtp(isSecure: boolean) {
  const t = await setUpSink({ isSecure });
  return {
    ...t,
    breakBefore: () => t.sink.faults.plan({ kind: 'drop_before' }),
    breakAfter: () => t.sink.faults.plan({ kind: 'drop_after' }),
    patienceMs: 1_000,
    hang: () => t.sink.faults.plan({ kind: 'hang_before' }),
    refuse: (how: 'for_now' | 'for_good') =>
      t.sink.faults.plan(
        how === 'for_now'
          ? { kind: 'refuse_recipient', code: 451, text: '4.3.0 later' }
          : { kind: 'refuse_message', code: 554, text: ECHO.slice(4).replaceAll('\n', ' ') },
      ),
    stop: () => t[Symbol.asyncDispose](),
  };
}

describeTransport('smtp', { setUp: () => setUpSmtp(false), lost: 'maybe_taken' });

describeTransport('resend', {
  lost: 'answer_lost',
  async setUp() {
    const t = await setUpResend();
    const plan = (fault: Parameters<typeof t.resend.faults.plan>[0]) => t.resend.faults.plan(fault);
    const strike = { method: 'POST', path: /^\/emails$/ } as const;
    return {
      ...t,
      breakBefore: () => plan({ ...strike, kind: 'drop_before' }),
      breakAfter: () => plan({ ...strike, kind: 'drop_after' }),
      patienceMs: 150,
      hang: () => plan({ ...strike, kind: 'hang' }),
      refuse: (how: 'for_now' | 'for_good') =>
        plan({
          ...{ ...strike, kind: 'status' },
          status: how === 'for_now' ? 429 : 422,
          text: JSON.stringify({ name: 'validation_error', message: MESSAGE.text }),
        }),
      stop: () => t.resend[Symbol.asyncDispose](),
    };
  },
});

test('SMTP with TLS from the first byte takes mails, too', async () => {
  await using t = await setUpSink({ isSecure: true });

  await t.transport().send(MESSAGE, { begin });

  expect(t.sink.mails()).toMatchObject([{ to: [MESSAGE.to], from: 'support@zerolaghub.com' }]);
});

test('an SMTP mail has an id of ours, its own date, and whom to answer', async () => {
  await using t = await setUpSink();

  const { messageId } = await t.transport().send(MESSAGE, { begin });
  await t.transport().send({ ...MESSAGE, replyTo: undefined }, { begin });

  expect(messageId).toBe('<mail-1@zerolaghub.com>');
  const [written, automatic] = t.sink.mails().map(({ headers }) => headers);
  expect(automatic).toMatchObject({ 'auto-submitted': 'auto-generated' });
  expect(written).not.toHaveProperty('auto-submitted');
  expect(written).toMatchObject({
    'message-id': messageId,
    date: 'Tue, 24 Nov 2026 12:00:00 +0000',
    from: 'ZeroLag Hub Support <support@zerolaghub.com>',
    'reply-to': '"Bob, \\"the\\" Builder" <bob@zpack.test>',
  });
});

test('a server that nobody vouches for gets no mail and no password', async () => {
  await using t = await setUpSink();

  const sending = t.transport({ ca: undefined }).send(MESSAGE, { begin });

  await expect(sending).rejects.toMatchObject({ reason: 'certificate_refused' });
  expect(t.sink.envelopes).toBe(0);
});

test('nor does one that speaks no TLS', async () => {
  const said: string[] = [];
  await using server = await startPlainServer((line) => {
    said.push(line);
    return line.startsWith('EHLO') ? '250-here\r\n250 AUTH PLAIN LOGIN' : '502 5.5.1 no';
  });
  const { port } = server;
  const transport = createSmtpTransport({
    ...{ host: '127.0.0.1', port, isSecure: false, from: FROM, timeoutMs: 5_000 },
    ...{ user: 'zpack', password: 'secret' },
  });

  await expect(transport.send(MESSAGE, { begin })).rejects.toMatchObject({ reason: 'tls_refused' });

  expect(said.map((line) => line.slice(0, 4))).toEqual(['EHLO', 'STAR']);
});

test.each([
  [550, '5.1.1 no such user', 'recipient_refused', '550 5.1.1'],
  [552, '5.2.2 mailbox full', 'recipient_refused', '552 5.2.2'],
  [550, 'unknown', 'recipient_refused', '550'],
  [550, '5.7.1 relaying denied', 'message_refused', '550 5.7.1'],
  [450, '4.2.1 greylisted', 'refused_for_now', '450 4.2.1'],
])('a recipient refused with %s %s is %s', async (code, text, reason, status) => {
  await using t = await setUpSink();
  const fault = t.sink.faults.plan({ kind: 'refuse_recipient', code, text });

  const sending = t.transport().send(MESSAGE, { begin });

  await expect(sending).rejects.toMatchObject({ reason, details: { status } });
  expect(fault.fired).toBe(1);
});

test('words cannot become headers, whatever they hold', async () => {
  await using t = await setUpSink();
  const evil = 'x\r\nBcc: eve@zpack.test\r\n\r\nbody';

  await t
    .transport()
    .send({ ...MESSAGE, subject: evil, replyTo: { name: evil, address: 'a@b.test' } }, { begin });
  const sending = t
    .transport()
    .send({ ...MESSAGE, to: `a@b.test>\r\nRCPT TO:<${MESSAGE.to}` }, { begin });

  await expect(sending).rejects.toMatchObject({ reason: 'not_connected' });
  expect(t.sink.mails()).toHaveLength(1);
  expect(t.sink.mails()[0]?.to).toEqual([MESSAGE.to]);
  expect(Object.keys(t.sink.mails()[0]?.headers ?? {})).not.toContain('bcc');
});

test('what Resend has taken it takes once, also in other words', async () => {
  await using t = await setUpResend();
  const transport = t.transport();
  const fault = t.resend.faults.plan({ kind: 'drop_after', method: 'POST', path: /emails/ });
  const lost = transport.send(MESSAGE, { begin });
  await expect(lost).rejects.toMatchObject({ reason: 'answer_lost', retryable: true });

  const again = await transport.send(MESSAGE, { begin, only: 'resend' });
  const reworded = { ...MESSAGE, text: 'another link' };
  const otherWords = await transport.send(reworded, { begin, only: 'resend' });

  expect(again.messageId).toBe(t.resend.mails()[0]?.id);
  expect(otherWords.messageId).toBeNull();
  await expect(transport.send(reworded, { begin })).rejects.toMatchObject({
    reason: 'refused_for_now',
  });
  expect(t.resend.mails()).toHaveLength(1);
  expect(fault.fired).toBe(1);
});

test('the console prints the link', async () => {
  let printed = '';
  const console = createConsoleTransport((text) => {
    printed += text;
  });

  await console.send(MESSAGE, { begin });

  expect(printed).toContain(MESSAGE.to);
  expect(printed).toContain('https://portal.test/reset-password?token=a%20b&c=d');
});

test('Resend is asked only for what SMTP certainly has not taken', async () => {
  await using smtp = await setUpSink();
  await using resend = await setUpResend();
  const mailer = createMailer([smtp.transport(), resend.transport()]);
  const send = (id: string, only?: string) =>
    mailer.send({ ...MESSAGE, id }, { begin, only }).then(
      ({ transport }) => transport,
      ({ reason }: { reason: string }) => reason,
    );
  const { faults } = smtp.sink;
  const plans = [
    faults.plan({ kind: 'drop_before' }),
    faults.plan({ kind: 'refuse_message', code: 554, text: 'no' }),
    faults.plan({ kind: 'drop_after' }),
  ];
  const outcomes = [await send('1'), await send('2'), await send('3')];
  plans.push(faults.plan({ kind: 'refuse_recipient', code: 550, text: '5.1.1 nobody' }));

  outcomes.push(await send('4'), await send('5'), await send('6', 'resend'));

  expect(outcomes).toEqual([
    'resend',
    'resend',
    'maybe_taken',
    'recipient_refused',
    'smtp',
    'resend',
  ]);
  expect(plans.map(({ fired }) => fired)).toEqual([1, 1, 1, 1]);
  expect(resend.resend.mails()).toHaveLength(3);
});

test('whoever has no transport is told so; of several failures each is named', async () => {
  await using resend = await setUpResend();
  const nowhere: MailTransport = await setUpSink().then(async (t) => {
    await t[Symbol.asyncDispose]();
    return t.transport();
  });

  const none = createMailer([]).send(MESSAGE, { begin });
  const both = createMailer([nowhere, resend.transport({ secret: 'wrong' })]).send(MESSAGE, {
    begin,
  });

  await expect(none).rejects.toMatchObject({ reason: 'not_configured', retryable: false });
  await expect(both).rejects.toMatchObject({
    message: 'smtp: not_connected, resend: unauthenticated 403 invalid_api_key',
    retryable: true,
  });
});
