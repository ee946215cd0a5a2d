import { z } from 'zod';

import { MAIL_STATES, type Mails } from '../../storage/mails.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { requireAdmin } from './reconcile.ts';

const PAGE_MAX = 100;

const mailView = z
  .object({
    id: z.string(),
    kind: z.string(),
    recipient: z.string(),
    state: z.enum(MAIL_STATES),
    attempts: z.int(),
    transport: z.string().nullable().describe('What has taken it, or may have'),
    error: z.string().nullable(),
    createdAt: z.iso.datetime(),
    dueAt: z.iso.datetime().describe('When it is tried next, if it is queued'),
    finishedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Mail' });

export function mailEndpoints({
  mails,
}: {
  readonly mails: Pick<Mails, 'list'>;
}): readonly AnyEndpoint[] {
  return [
    endpoint({
      operationId: 'listMails',
      summary: 'Which mails were sent, and which came back',
      tag: 'admin',
      method: 'get',
      path: '/api/admin/mails',
      params: nothing,
      query: z.object({
        state: z.enum(MAIL_STATES).optional(),
        after: z.string().max(100).optional().describe('`next` of the page before'),
      }),
      body: nothing,
      replies: {
        200: z.object({ mails: z.array(mailView), next: z.string().nullable() }),
      },
      problems: ['unauthenticated', 'forbidden', 'invalid_input', 'unavailable'],
      async handle({ principal, query }) {
        requireAdmin(principal);
        const found = await mails.list({ ...query, limit: PAGE_MAX });
        const next = found.length === PAGE_MAX ? (found.at(-1)?.id ?? null) : null;
        const body = found.map(({ createdAt, dueAt, finishedAt, ...mail }) => ({
          ...mail,
          createdAt: createdAt.toISOString(),
          dueAt: dueAt.toISOString(),
          finishedAt: finishedAt?.toISOString() ?? null,
        }));
        return { status: 200, body: { mails: body, next } };
      },
    }),
  ];
}
