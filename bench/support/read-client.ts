import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

import { connect } from './raw-http.ts';

/** Clients that read the same thing over and over, in a process of their own. */

export interface ReadOrder {
  readonly url: string;
  readonly path: string;
  readonly token: string;
  readonly clients: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export type ReadMessage =
  | { readonly phase: 'begin' | 'end' }
  | {
      readonly phase: 'done';
      readonly perSecond: number;
      readonly requests: number;
      readonly p50Ms: number;
      readonly p99Ms: number;
      readonly cpuUs: number;
    };

const say = (message: ReadMessage) =>
  new Promise<void>((resolve) => void process.send?.(message, undefined, {}, () => resolve()));

async function run({ url, path, token, clients, warmUpMs, measureMs }: ReadOrder): Promise<void> {
  const connections = await Promise.all(Array.from({ length: clients }, () => connect(url)));
  const from = performance.now() + warmUpMs;
  const to = from + measureMs;
  const latencies: number[] = [];
  async function read(connection: (typeof connections)[number]): Promise<void> {
    for (;;) {
      const sentAt = performance.now();
      if (sentAt >= to) return;
      const { status, text } = await connection.request({ method: 'GET', path, token });
      if (status !== 200) throw new Error(`${status} ${text}`);
      const answeredAt = performance.now();
      if (answeredAt >= from && answeredAt < to) latencies.push(answeredAt - sentAt);
    }
  }
  const marks = [
    delay(warmUpMs).then(() => say({ phase: 'begin' })),
    delay(warmUpMs + measureMs).then(() => say({ phase: 'end' })),
  ];
  const before = delay(warmUpMs).then(() => process.cpuUsage());
  await Promise.all([...connections.map(read), ...marks]);
  const { user, system } = process.cpuUsage(await before);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  await say({
    phase: 'done',
    perSecond: (latencies.length / measureMs) * 1000,
    requests: latencies.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuUs: (user + system) / latencies.length,
  });
  for (const connection of connections) connection.close();
}

const [order] = (await once(process, 'message')) as [ReadOrder];
await run(order);
process.disconnect();
