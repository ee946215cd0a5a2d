import type { StandInAnswer } from '../stand-in.ts';

/** A request that Cloudflare turns down; its numbers are the original's. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: number,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  answer(): StandInAnswer {
    const { status, code, message, headers } = this;
    const body = { result: null, success: false, errors: [{ code, message }], messages: [] };
    return { status, body, headers };
  }
}
