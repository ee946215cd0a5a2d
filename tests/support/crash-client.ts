import { setTimeout as delay } from 'node:timers/promises';

import type { SupervisedNode } from './crash-nodes.ts';

const PAUSE_MS = 50;
const ANSWER_TIMEOUT_MS = 45_000;
/** Far above what any recovery takes: who waits longer than this waits in vain. */
const GIVE_UP_MS = 120_000;

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
  readonly body: any;
}

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client as patient as a good one is: what gets no answer it asks for again, elsewhere. */
export interface CrashClient {
  /** Answers with anything but 503; an answer that was lost is asked for again. */
  ask(ask: Ask): Promise<Answer & { readonly attempts: number }>;
  /** One attempt. null: the answer was lost, so nobody knows whether anything was done. */
  askOnce(ask: Ask): Promise<Answer | null>;
}

export function createCrashClient(options: {
  readonly username: string;
  readonly password: string;
  readonly nodes: () => readonly SupervisedNode[];
}): CrashClient {
  const { username, password, nodes } = options;
  let turn = 0;
  let token: Promise<string> | undefined;

  /** Any node whose API listens, in turn. */
  async function nextUrl(): Promise<string> {
    const deadline = performance.now() + GIVE_UP_MS;
    for (;;) {
      const urls = nodes().flatMap(({ url }) => (url === null ? [] : [url]));
      turn += 1;
      const url = urls[turn % Math.max(urls.length, 1)];
      if (url !== undefined) return url;
      if (performance.now() > deadline) throw new Error('no API has come up');
      await delay(PAUSE_MS);
    }
  }

  async function send({ method, path, body, headers }: Ask): Promise<Answer | null> {
    const url = new URL(path, await nextUrl());
    try {
      const response = await fetch(url, {
        method,
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    } catch {
      return null;
    }
  }

  async function persist(attempt: () => Promise<Answer | null>, what: string) {
    const deadline = performance.now() + GIVE_UP_MS;
    for (let attempts = 1; ; attempts += 1) {
      const answer = await attempt();
      if (answer && answer.status !== 503) return { ...answer, attempts };
      if (performance.now() > deadline) {
        throw new Error(`${what}: no answer for ${GIVE_UP_MS} ms, at last ${answer?.status}`);
      }
      await delay(PAUSE_MS);
    }
  }

  async function signIn(): Promise<string> {
    const body = { identifier: username, password };
    const login = { method: 'POST', path: '/api/auth/login', body };
    const answer = await persist(() => send(login), 'signing in');
    return String(answer.body.token);
  }

  async function askOnce({ headers, ...ask }: Ask): Promise<Answer | null> {
    token ??= signIn();
    return send({ ...ask, headers: { ...headers, authorization: `Bearer ${await token}` } });
  }

  return {
    askOnce,
    ask: (ask) => persist(() => askOnce(ask), `${ask.method} ${ask.path}`),
  };
}
