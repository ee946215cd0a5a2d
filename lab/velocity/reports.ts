import type { Registered } from './registry.ts';

/** What the bridge posts to the control plane when the life of a server in the proxy changes. */
export interface Report {
  readonly status: 'registered_with_proxy' | 'proxy_ping_ok' | 'proxy_ping_failed';
  readonly server_name: string;
  readonly address: string;
  readonly port: number;
  /** It was registered already, at the same address. */
  readonly duplicate?: boolean;
  readonly latency_ms?: number;
  readonly detail?: string;
  readonly timestamp: string;
}

type Facts = Pick<Report, 'status' | 'duplicate' | 'latency_ms' | 'detail'>;

/** A report and the status it was answered with; undefined while there is no answer. */
export interface SentReport {
  readonly report: Report;
  readonly answer: number | undefined;
}

export interface Reports {
  post(server: Registered, facts: Facts): void;
  sendTo(url: string | undefined): void;
  sent(): readonly SentReport[];
  /** Gives up what has not been sent, and returns when nothing is in flight. */
  stop(): Promise<void>;
}

const TIMEOUT_MS = 2_000;
const SENT_MAX = 1_000;

/**
 * One after the other, in the order in which things happened. Each is posted once: what is lost on
 * the way stays lost, and without a URL nothing is sent.
 */
export function createReports(hash: string, firstUrl: string | undefined): Reports {
  const sent: SentReport[] = [];
  const stopping = new AbortController();
  let url = firstUrl;
  let last: Promise<void> = Promise.resolve();

  async function send(report: Report, to: string): Promise<void> {
    if (stopping.signal.aborted) return;
    const answer = await deliver(report, to).catch(() => undefined);
    sent.push({ report, answer });
    if (sent.length > SENT_MAX) sent.shift();
  }

  async function deliver(report: Report, to: string): Promise<number> {
    const response = await fetch(to, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-zpack-secret': hash },
      body: JSON.stringify(report),
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.arrayBuffer();
    return response.status;
  }

  return {
    post({ name, address, port }, facts) {
      if (url === undefined) return;
      const to = url;
      const timestamp = new Date().toISOString();
      const report = { ...facts, server_name: name, address, port, timestamp };
      last = last.then(() => send(report, to));
    },
    sendTo(next) {
      url = next;
    },
    sent: () => sent,
    stop() {
      stopping.abort(new Error('the bridge ends'));
      return last;
    },
  };
}
