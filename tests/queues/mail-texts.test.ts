import { expect, test } from 'vitest';

import { createRenderer } from '../../src/queues/mail/render.ts';
import type { MailContent } from '../../src/storage/mail-order.ts';

const AT = '2026-12-24T23:30:00Z';
const portal = {
  portalUrl: 'https://portal.test',
  resetUrlBase: 'https://reset.test/base/',
  resetTtlS: 1_800,
};
const render = createRenderer({
  portal,
  issueReset: async () => ({ displayName: '<b>Al\nice</b>', token: 'a+b/c&d' }),
});

const write = (content: MailContent) =>
  render({
    ...{ id: 'm', recipient: 'a@b.test', attempts: 1, transport: null, createdAt: new Date(AT) },
    ...content,
  });

test.each([
  ['password_reset', {}, 'Set a new password', 'for 30 minutes'],
  ['password_changed', {}, 'Your password was changed', 'signed out everywhere'],
  ['payment_failed', { n: 1, total: 3, suspendAt: AT }, 'Your payment failed', '24 December 2026'],
  [
    'payment_failed',
    { n: 3, total: 3, suspendAt: AT, portalUrl: 'https://pay.test/x' },
    'Your payment failed: last reminder',
    'https://pay.test/x',
  ],
  ['suspended', { keptUntil: AT }, 'Your account is suspended', 'kept until 24 December 2026'],
  ['restored', {}, 'Your account is active again', 'https://portal.test'],
  ['trial_ending', { trialEnd: AT }, 'Your trial ends soon', 'ends on 24 December 2026'],
] as const)('%s %o says "%s" in both its bodies', async (kind, params, subject, phrase) => {
  const message = await write({ kind, params } as MailContent);

  expect(message?.subject).toBe(subject);
  expect(message?.text).toContain(phrase);
  expect(message?.html).toContain(phrase);
  expect(message?.replyTo).toBeUndefined();
});

test('a link holds the token as it is, and names are no HTML', async () => {
  const message = await write({ kind: 'password_reset', params: {} });

  const url = 'https://reset.test/base/reset-password?token=a%2Bb%2Fc%26d';
  expect(message?.text).toContain(url);
  expect(message?.html).toContain(`href="${url}"`);
  expect(message?.text).toContain('Hello <b>Al ice</b>,');
  expect(message?.html).toContain('Hello &lt;b&gt;Al ice&lt;/b&gt;,');
});

test('what a customer writes is quoted, answered to him, and stays what it is', async () => {
  const message = await write({
    kind: 'support_request',
    params: {
      name: 'Eve\r\nBcc: all@zpack.test',
      email: 'eve@zpack.test',
      subject: 'Help\u2028me\r\nX-Evil: 1',
      message: 'Hi\n</blockquote><img src=x onerror="alert(1)">\n-- \nEve',
    },
  });

  expect(message?.subject).toBe('[Support] Help me X-Evil: 1');
  expect(message?.replyTo).toEqual({ name: 'Eve Bcc: all@zpack.test', address: 'eve@zpack.test' });
  expect(message?.html).not.toContain('<img');
  expect(message?.html).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;');
  expect(message?.text).toContain('> Hi\n> </blockquote>');
});

test.each([
  ['an unknown kind', 'birthday', {}],
  ['a time that is none', 'suspended', { keptUntil: 'tomorrow' }],
  [
    'a link that runs',
    'payment_failed',
    { n: 1, total: 3, suspendAt: AT, portalUrl: 'javascript:x' },
  ],
])('%s is not put into words', async (_, kind, params) => {
  await expect(write({ kind, params } as MailContent)).rejects.toThrow(`mail ${kind}`);
});
