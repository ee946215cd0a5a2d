import type { StandInAnswer } from '../stand-in.ts';

interface Said {
  readonly type?: 'invalid_request_error' | 'card_error' | 'idempotency_error' | 'api_error';
  readonly code?: string;
  readonly message: string;
  readonly param?: string;
  readonly decline_code?: string;
}

/** A request that Stripe turns down; its types and codes are the original's. */
export class Refusal extends Error {
  readonly status: number;
  readonly said: Said;

  constructor(status: number, said: Said) {
    super(said.message);
    this.status = status;
    this.said = said;
  }

  answer(headers: Readonly<Record<string, string>> = {}): StandInAnswer {
    const { status, said } = this;
    return { status, body: { error: { type: 'invalid_request_error', ...said } }, headers };
  }
}

/** `param` names the parameter that it was asked for by; in the path of the request it is `id`. */
export function missing(what: string, id: string, param = 'id'): Refusal {
  return new Refusal(param === 'id' ? 404 : 400, {
    code: 'resource_missing',
    message: `No such ${what}: '${id}'`,
    param,
  });
}

export const invalid = (message: string, param?: string, code?: string): Refusal =>
  new Refusal(400, { message, ...(param && { param }), ...(code && { code }) });

export const declined = (): Refusal =>
  new Refusal(402, {
    type: 'card_error',
    code: 'card_declined',
    decline_code: 'generic_decline',
    message: 'Your card was declined.',
  });
