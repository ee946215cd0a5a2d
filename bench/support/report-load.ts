import { setTimeout as delay } from 'node:timers/promises';

import { Pool as Connections } from 'undici';

import { hashSecret, SECRET_HEADER } from '../../src/clients/velocity/secret.ts';
import { ADDRESS, PORT, type RegisteredServer } from './registered.ts';

export interface ReportLoad {
  readonly url: string;
  readonly secret: string;
  readonly servers: readonly RegisteredServer[];
  readonly perS: number;
  readonly seconds: number;
}

type Outcome = 'applied' | 'duplicate' | 'late';

export interface Told {
  /** Of each server. */
  readonly sent: ReadonlyMap<string, number>;
  readonly lastAt: ReadonlyMap<string, number>;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** From when each was due, so that one which waits is not left out. */
  readonly latenciesMs: readonly number[];
}

interface Report {
  readonly server: RegisteredServer;
  readonly body: { readonly port: number; readonly timestamp: number };
}

const CONNECTIONS = 64;
/** Reports change places with others that are sent within this many. */
const REORDERED_WITHIN = 8;
const DUPLICATE_EVERY = 10;
const STALE_EVERY = 20;
const STATUSES = ['proxy_ping_ok', 'proxy_ping_failed', 'registered_with_proxy'] as const;

/** In the order in which they are sent: not that of their dates, some twice, some of the past. */
function planReports({ servers, perS, seconds }: ReportLoad): readonly Report[] {
  const from = Date.now();
  const reports: Report[] = [];
  for (let nth = 0; reports.length < perS * seconds; nth += 1) {
    const server = servers[nth % servers.length] as RegisteredServer;
    const isStale = nth % STALE_EVERY === STALE_EVERY - 1;
    const body = {
      status: STATUSES[nth % STATUSES.length],
      server_name: server.name,
      address: ADDRESS,
      port: isStale ? PORT + 1 : PORT,
      latency_ms: nth % 50,
      detail: `report ${nth}`,
      timestamp: from + nth,
    };
    reports.push({ server, body });
    if (nth % DUPLICATE_EVERY === 0) reports.push({ server, body });
  }
  for (let start = 0; start < reports.length; start += REORDERED_WITHIN) {
    const window = reports.slice(start, start + REORDERED_WITHIN);
    window.sort(() => Math.random() - 0.5);
    reports.splice(start, window.length, ...window);
  }
  return reports.slice(0, perS * seconds);
}

/** Sends each when it is due, whether or not those before it have been answered. */
export async function sendReports(load: ReportLoad): Promise<Told> {
  const reports = planReports(load);
  const connections = new Connections(load.url, { connections: CONNECTIONS });
  const headers = {
    [SECRET_HEADER]: hashSecret(load.secret),
    'content-type': 'application/json',
  };
  const outcomes: Record<Outcome, number> = { applied: 0, duplicate: 0, late: 0 };
  const [sent, lastAt] = [new Map<string, number>(), new Map<string, number>()];
  const latenciesMs: number[] = [];

  async function send({ server, body }: Report, dueAt: number): Promise<void> {
    const { statusCode, body: answer } = await connections.request({
      method: 'POST',
      path: '/internal/velocity/proxy-status',
      headers,
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    latenciesMs.push(performance.now() - dueAt);
    if (statusCode !== 200) throw new Error(`${statusCode} ${text}`);
    outcomes[(JSON.parse(text) as { outcome: Outcome }).outcome] += 1;
    sent.set(server.id, (sent.get(server.id) ?? 0) + 1);
    if (body.port !== PORT) return;
    lastAt.set(server.id, Math.max(lastAt.get(server.id) ?? 0, body.timestamp));
  }

  const begunAt = performance.now();
  const sending: Promise<void>[] = [];
  for (const [nth, report] of reports.entries()) {
    const dueAt = begunAt + (nth / load.perS) * 1000;
    const early = dueAt - performance.now();
    if (early > 1) await delay(early);
    sending.push(send(report, dueAt));
  }
  await Promise.all(sending);
  await connections.close();
  return { sent, lastAt, outcomes, latenciesMs };
}
