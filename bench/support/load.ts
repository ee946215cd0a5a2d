import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { advance, type Cursor, type Life, nextSending, type Sending } from './lives.ts';

export interface Load {
  readonly lives: readonly Life[];
  readonly cursors: readonly Cursor[];
  readonly clients: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly events: number;
}

/**
 * Clients that wait for each answer before they send the next event. Each has instances of its
 * own and takes them by turns, so that an address is busy only as often as chance has it.
 */
export async function runLoad(
  { lives, cursors, clients, warmUpMs, measureMs }: Load,
  send: (sending: Sending, client: number) => Promise<unknown>,
  onMeasure: (phase: 'begin' | 'end') => unknown = () => {},
): Promise<Figures> {
  // Two clients that share an instance would send the same event twice.
  assert.equal(cursors.length % clients, 0);
  const begunAt = performance.now();
  const from = begunAt + warmUpMs;
  const to = from + measureMs;
  const latencies: number[] = [];

  async function runClient(client: number): Promise<void> {
    for (let turn = client; ; turn += clients) {
      const cursor = cursors[turn % cursors.length] as Cursor;
      const sentAt = performance.now();
      if (sentAt >= to) return;
      await send(nextSending(lives, cursor), client);
      advance(lives, cursor);
      const answeredAt = performance.now();
      if (answeredAt >= from && answeredAt < to) latencies.push(answeredAt - sentAt);
    }
  }

  const marks = [
    delay(warmUpMs).then(() => onMeasure('begin')),
    delay(warmUpMs + measureMs).then(() => onMeasure('end')),
  ];
  const all = Array.from({ length: clients }, (_, client) => runClient(client));
  await Promise.all([...all, ...marks]);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    perSecond: (latencies.length / measureMs) * 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    events: latencies.length,
  };
}
