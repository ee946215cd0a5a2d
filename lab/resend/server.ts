import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';

import {
  type StandIn,
  type StandInAnswer,
  type StandInRequest,
  startStandIn,
} from '../stand-in.ts';

/** A running stand-in for `POST /emails` of Resend. */
export interface Resend extends StandIn {
  readonly apiKey: string;
  mails(): readonly ResendMail[];
}

const name = String.raw`[^<>\r\n]*`;
const address = String.raw`[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+`;
const mailbox = z.string().regex(new RegExp(`^(${address}|${name}<${address}>)$`));
const list = z.union([mailbox.transform((one) => [one]), z.array(mailbox).min(1).max(50)]);

const email = z.object({
  from: mailbox,
  to: list,
  subject: z.string(),
  text: z.string().optional(),
  html: z.string().optional(),
  reply_to: list.optional(),
  headers: z.record(z.string(), z.string()).optional(),
  tags: z
    .array(
      z.object({
        name: z.string().regex(/^[\w-]{1,256}$/),
        value: z.string().regex(/^[\w-]{1,256}$/),
      }),
    )
    .optional(),
});
export type ResendMail = z.output<typeof email> & { readonly id: string };

class Refusal extends Error {
  readonly answer: StandInAnswer;

  constructor(statusCode: number, refused: string, message: string) {
    super(message);
    this.answer = { status: statusCode, body: { statusCode, name: refused, message } };
  }
}

export async function startResend({ port }: { readonly port?: number } = {}): Promise<Resend> {
  const apiKey = `re_${randomBytes(16).toString('hex')}`;
  const mails: ResendMail[] = [];
  const taken = new Map<string, { body: string; id: string }>();

  function send({ headers, body }: StandInRequest): StandInAnswer {
    const key = headers['idempotency-key'];
    if (key !== undefined && (key.length < 1 || key.length > 256)) {
      throw new Refusal(400, 'invalid_idempotency_key', 'The key must be between 1-256 chars.');
    }
    const earlier = typeof key === 'string' ? taken.get(key) : undefined;
    if (earlier && earlier.body !== body) {
      throw new Refusal(409, 'invalid_idempotent_request', 'Same idempotency key, other payload.');
    }
    if (earlier) return { status: 200, body: { id: earlier.id } };
    const mail = { ...read(body), id: randomUUID() };
    mails.push(mail);
    if (typeof key === 'string') taken.set(key, { body, id: mail.id });
    return { status: 200, body: { id: mail.id } };
  }

  const standIn = await startStandIn({
    port,
    tooMany: (waitS) => ({
      ...new Refusal(429, 'rate_limit_exceeded', 'Too many requests.').answer,
      headers: { 'retry-after': String(waitS) },
    }),
    answer(request) {
      try {
        checkCaller(request, apiKey);
        if (request.method === 'POST' && request.path === '/emails') return send(request);
        throw new Refusal(404, 'not_found', 'The requested endpoint does not exist.');
      } catch (error) {
        if (error instanceof Refusal) return error.answer;
        throw error;
      }
    },
  });
  return { ...standIn, apiKey, mails: () => mails };
}

function checkCaller({ headers }: StandInRequest, apiKey: string): void {
  const { authorization = '' } = headers;
  if (!headers['user-agent']) throw new Refusal(403, 'error', 'error code: 1010');
  if (!/^Bearer \S+$/.test(authorization)) {
    throw new Refusal(401, 'missing_api_key', 'Missing API key in the authorization header.');
  }
  if (authorization !== `Bearer ${apiKey}`) {
    throw new Refusal(403, 'invalid_api_key', 'API key is invalid');
  }
}

function read(body: string): z.output<typeof email> {
  let given: unknown;
  try {
    given = JSON.parse(body);
  } catch {
    throw new Refusal(400, 'validation_error', 'The body is not valid JSON.');
  }
  const parsed = email.safeParse(given);
  if (!parsed.success) {
    const isMissing = parsed.error.issues.some(({ message }) => /undefined/.test(message));
    const refused = isMissing ? 'missing_required_field' : 'validation_error';
    throw new Refusal(422, refused, z.prettifyError(parsed.error));
  }
  const { text, html } = parsed.data;
  if (text !== undefined || html !== undefined) return parsed.data;
  throw new Refusal(422, 'missing_required_field', 'Missing `html` or `text` field.');
}
