import { once } from 'node:events';

import { Client } from 'undici';

import type { Cursor } from './lives.ts';
import { type Figures, type Load, runLoad } from './load.ts';

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
const connections = Array.from({ length: clients }, () => new Client(url, { pipelining: 1 }));

const figures = await runLoad(
  order,
  async ({ id, event, completes }, client) => {
    const { statusCode, body } = await (connections[client] as Client).request({
      method: 'POST',
      path: `/api/bench/${id}/events`,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${tokens[client % tokens.length]}`,
      },
      body: JSON.stringify({ event, completes }),
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${statusCode} ${text}`);
  },
  (phase) => void say({ phase, cpu: process.cpuUsage() }),
);
await say({ phase: 'done', figures, cursors: order.cursors });
await Promise.all(connections.map((connection) => connection.close()));
process.disconnect();
