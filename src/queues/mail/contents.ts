import { z } from 'zod';

import type { MailContent } from '../../storage/mail-order.ts';

/** A mail in words, of which both its bodies are made. Nothing of it is HTML. */
export interface Content {
  readonly subject: string;
  readonly paragraphs: readonly string[];
  readonly link?: { readonly label: string; readonly url: string };
  /** Somebody else's words. */
  readonly quote?: string;
}

const time = z.iso.datetime({ offset: true });
const nothing = z.object({});

/** What is stored comes from our own code, of this release or another. */
export const mailContent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('password_reset'), params: nothing }),
  z.object({ kind: z.literal('password_changed'), params: nothing }),
  z.object({
    kind: z.literal('payment_failed'),
    params: z.object({
      n: z.int(),
      total: z.int(),
      suspendAt: time,
      portalUrl: z.url({ protocol: /^https?$/ }).optional(),
    }),
  }),
  z.object({
    kind: z.literal('suspended'),
    params: z.object({ keptUntil: time, isEnded: z.boolean().default(false) }),
  }),
  z.object({ kind: z.literal('restored'), params: nothing }),
  z.object({ kind: z.literal('trial_ending'), params: z.object({ trialEnd: time }) }),
  z.object({
    kind: z.literal('support_request'),
    params: z.object({
      name: z.string(),
      email: z.email(),
      subject: z.string(),
      message: z.string(),
    }),
  }),
]);

type Parsed = z.output<typeof mailContent>;
export type ParamsOf<Kind extends MailContent['kind']> = Extract<Parsed, { kind: Kind }>['params'];

export interface Portal {
  readonly portalUrl: string;
  readonly resetUrlBase: string;
  readonly resetTtlS: number;
}

export function resetContent({ resetUrlBase, resetTtlS }: Portal, token: string): Content {
  const base = resetUrlBase.replace(/\/+$/, '');
  return {
    subject: 'Set a new password',
    paragraphs: [
      'Somebody, probably you, asked to set a new password for your ZeroLag Hub account.',
      `The link works once, for ${lifeOf(resetTtlS)}. If it was not you, ignore this mail: your password stays as it is.`,
    ],
    link: {
      label: 'Set a new password',
      url: `${base}/reset-password?token=${encodeURIComponent(token)}`,
    },
  };
}

export const passwordChanged = (): Content => ({
  subject: 'Your password was changed',
  paragraphs: [
    'The password of your ZeroLag Hub account was changed just now: you are signed out everywhere else, and API tokens have ended.',
    'If it was not you, set a new password at once and write to our support.',
  ],
});

export function paymentFailed(
  { portalUrl: ownPortal }: Portal,
  { n, total, suspendAt, portalUrl = ownPortal }: ParamsOf<'payment_failed'>,
): Content {
  return {
    subject: n < total ? 'Your payment failed' : 'Your payment failed: last reminder',
    paragraphs: [
      'We could not collect the payment for your ZeroLag Hub plan.',
      `Please check your payment method. If nothing is paid by ${dayOf(suspendAt)}, your servers are stopped. They are not deleted then.`,
      `This is reminder ${n} of ${total}.`,
    ],
    link: { label: 'Check the payment method', url: portalUrl },
  };
}

export function suspended(
  { portalUrl }: Portal,
  { keptUntil, isEnded }: ParamsOf<'suspended'>,
): Content {
  if (isEnded) {
    return {
      subject: 'Your plan has ended',
      paragraphs: [
        'Your ZeroLag Hub plan has ended, so your servers have been stopped.',
        `They are kept until ${dayOf(keptUntil)}. Choose a plan before that day, and they run again.`,
      ],
      link: { label: 'Choose a plan', url: portalUrl },
    };
  }
  return {
    subject: 'Your account is suspended',
    paragraphs: [
      'We still could not collect the payment for your ZeroLag Hub plan, so your servers have been stopped.',
      `They are kept until ${dayOf(keptUntil)}. As soon as the payment succeeds those that ran before run again.`,
    ],
    link: { label: 'Check the payment method', url: portalUrl },
  };
}

export const restored = ({ portalUrl }: Portal): Content => ({
  subject: 'Your account is active again',
  paragraphs: [
    'Your payment has arrived, thank you. Those of your servers that ran before are started again.',
  ],
  link: { label: 'To the Portal', url: portalUrl },
});

export const trialEnding = (
  { portalUrl }: Portal,
  { trialEnd }: ParamsOf<'trial_ending'>,
): Content => ({
  subject: 'Your trial ends soon',
  paragraphs: [`Your trial of ZeroLag Hub ends on ${dayOf(trialEnd)}.`],
  link: { label: 'Choose a plan', url: portalUrl },
});

export const supportRequest = (params: ParamsOf<'support_request'>): Content => ({
  subject: `[Support] ${params.subject}`,
  paragraphs: [`${params.name} <${params.email}> writes:`],
  quote: params.message,
});

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
const dayOf = (iso: string): string => DAY.format(new Date(iso));

function lifeOf(seconds: number): string {
  const minutes = Math.max(1, Math.floor(seconds / 60));
  if (minutes % 60 !== 0) return minutes === 1 ? 'one minute' : `${minutes} minutes`;
  return minutes === 60 ? 'one hour' : `${minutes / 60} hours`;
}
