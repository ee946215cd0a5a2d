import { setTimeout as sleep } from 'node:timers/promises';

export interface ProviderOptions {
  readonly url: string;
  readonly token: string;
  readonly pollMs: number;
  /** Told every document that differs from the last one. A throw rejects it. */
  readonly changed: (text: string) => void;
}

/** What became of the polls so far. */
export interface PollCounts {
  readonly applied: number;
  /** The same as before: answered with 304, or with the same text. */
  readonly unchanged: number;
  /** No answer, another status than 200, or a document that is none. */
  readonly rejected: number;
}

export interface Provider extends AsyncDisposable {
  polls(): PollCounts;
  /** Why the last poll was rejected; undefined if it was not. */
  trouble(): string | undefined;
}

const TIMEOUT_MS = 5_000;

/**
 * Fetches the dynamic configuration again and again, as Traefik's HTTP provider does. Whatever goes
 * wrong, the last good one stays in force. It sends the ETag of that one, to be spared the same.
 */
export function startProvider(options: ProviderOptions): Provider {
  const { url, token, pollMs, changed } = options;
  const stop = new AbortController();
  const counts = { applied: 0, unchanged: 0, rejected: 0 };
  let good: { readonly text: string; readonly etag: string | null } | undefined;
  let trouble: string | undefined;

  async function poll(): Promise<keyof PollCounts> {
    const headers = new Headers({ authorization: `Bearer ${token}` });
    if (good?.etag) headers.set('if-none-match', good.etag);
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const response = await fetch(url, { headers, signal });
    const text = await response.text();
    if (response.status === 304 && good) return 'unchanged';
    if (response.status !== 200) throw new Error(`the answer was ${response.status}`);
    const etag = response.headers.get('etag');
    const isSame = text === good?.text;
    if (!isSame) changed(text);
    good = { text, etag };
    return isSame ? 'unchanged' : 'applied';
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        counts[await poll()] += 1;
        trouble = undefined;
      } catch (error) {
        if (stop.signal.aborted) return;
        counts.rejected += 1;
        trouble = error instanceof Error ? error.message : String(error);
      }
      await sleep(pollMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    polls: () => ({ ...counts }),
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the router ends'));
      await running;
    },
  };
}
