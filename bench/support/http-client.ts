import { once } from 'node:events';

import type { Cursor } from './lives.ts';
import { type Figures, type Load, runLoad } from './load.ts';
import { connect } from './raw-http.ts';

/** The clients, in a process of their own: their CPU is not the server's. */

export interface ClientOrder extends Load {
  readonly url: string;
  readonly tokens: readonly string[];
}

export type ClientMessage =
  | { readonly phase: 'begin' | 'end'; readonly cpu: NodeJS.CpuUsage }
  | { readonly phase: 'done'; readonly figures: Figures; readonly cursors: readonly Cursor[] };

const say = (message: ClientMessage) =>
  new Promise<void>((resolve) => void process.send?.(message, undefined, {}, () => resolve()));

const [order] = (await once(process, 'message')) as [ClientOrder];
const { url, tokens, clients } = order;
const connections = await Promise.all(Array.from({ length: clients }, () => connect(url)));

const figures = await runLoad(
  order,
  async ({ id, event, completes }, client) => {
    const { status, text } = await (connections[client] as (typeof connections)[number]).request({
      method: 'POST',
      path: `/api/bench/${id}/events`,
      token: tokens[client % tokens.length] as string,
      body: JSON.stringify({ event, completes }),
    });
    if (status !== 200) throw new Error(`${status} ${text}`);
  },
  (phase) => void say({ phase, cpu: process.cpuUsage() }),
);
await say({ phase: 'done', figures, cursors: order.cursors });
for (const connection of connections) connection.close();
process.disconnect();
