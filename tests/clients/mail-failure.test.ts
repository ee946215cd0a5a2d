import { expect, test } from 'vitest';
import { isFinal, mailError, smtpFailure } from '../../src/clients/mail/failure.ts';
import { UpstreamError } from '../../src/errors.ts';

const answered = (command: string, response: string, code = 'EENVELOPE') =>
  Object.assign(new Error(`refused: ${response}`), {
    ...{ code, command, response, responseCode: Number(response.slice(0, 3)) },
  });
const broken = (code: string, originalCode?: string) =>
  Object.assign(new Error(`broken ${code}`), { code, originalCode, command: 'CONN' });

test.each([
  [broken('ESOCKET', 'ECONNREFUSED'), false, 'not_connected', true],
  [broken('EDNS', 'ENOTFOUND'), false, 'not_connected', true],
  [broken('ECONNECTION'), false, 'not_connected', true],
  [broken('ECONNECTION'), true, 'maybe_taken', false],
  [broken('ETIMEDOUT'), false, 'timed_out', true],
  [broken('ETIMEDOUT'), true, 'maybe_taken', false],
  [broken('ESOCKET', 'DEPTH_ZERO_SELF_SIGNED_CERT'), false, 'certificate_refused', true],
  [answered('STARTTLS', '502 5.5.1 no', 'ETLS'), false, 'tls_refused', true],
  [answered('AUTH PLAIN', '535 5.7.8 no', 'EAUTH'), false, 'unauthenticated', true],
  [answered('CONN', '421 4.3.2 closing', 'ECONNECTION'), false, 'refused_for_now', true],
  [answered('CONN', '421 4.3.2 closing', 'ECONNECTION'), true, 'maybe_taken', false],
  [answered('MAIL FROM', '530 5.7.0 sign in'), false, 'unauthenticated', true],
  [answered('MAIL FROM', '553 5.1.8 sender unknown'), false, 'message_refused', false],
  [answered('RCPT TO', '550-5.1.1 nobody'), false, 'recipient_refused', false],
  [answered('RCPT TO', '550 5.7.1 relay denied'), false, 'message_refused', false],
  [answered('RCPT TO', '503 5.5.1 out of order'), false, 'refused_for_now', true],
  [answered('DATA', '451 4.3.0 disk full'), false, 'refused_for_now', true],
  [answered('DATA', '451 4.3.0 disk full', 'EMESSAGE'), true, 'refused_for_now', true],
  [answered('DATA', '554 5.7.1 spam', 'EMESSAGE'), true, 'message_refused', false],
  ['not even an Error', false, 'not_connected', true],
])('%o, when it has left: %s, is %s', (error, hasLeft, reason, retryable) => {
  expect(smtpFailure(error, { hasLeft })).toMatchObject({ reason, retryable });
});

test('once the message has left, no word of an answer is kept', () => {
  const error = answered('DATA', '554 5.7.1 ?token=abc', 'EMESSAGE');

  const { message, cause, details } = smtpFailure(error, { hasLeft: true });

  expect(message).toBe('smtp: message_refused 554 5.7.1');
  expect(details).toEqual({ status: '554 5.7.1' });
  expect((cause as Error).message).toBe('EMESSAGE');
});

test('what is explained stays as it is, and only what may be there is final', () => {
  const ours = new UpstreamError('known', { reason: 'timed_out', retryable: true });
  const final = ['maybe_taken', 'answer_lost', 'recipient_refused'] as const;
  const open = ['not_connected', 'message_refused', 'unauthenticated'] as const;

  expect(smtpFailure(ours, { hasLeft: true })).toBe(ours);
  expect(final.map((reason) => isFinal(mailError('smtp', reason)))).toEqual([true, true, true]);
  expect(open.map((reason) => isFinal(mailError('smtp', reason)))).toEqual([false, false, false]);
});
