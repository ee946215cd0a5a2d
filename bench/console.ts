import { once } from 'node:events';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import type { ConsoleClientOptions } from './support/console-client.ts';
import type { ConsoleOrder, ConsoleServerOptions } from './support/console-server.ts';
import { forkScript, hear } from './support/measure.ts';
import { count, fixed, formatTable, medianOf, spread } from './support/table.ts';

/**
 * One console that many look at: what it costs the node to send each frame to all, against a bare
 * loop over sockets, by turns. Every viewer checks that no line is missing.
 */

const { values: flags } = parseArgs({
  options: {
    viewers: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    rate: { type: 'string', default: '25' },
    lines: { type: 'string', default: '10' },
  },
});

const KINDS = ['bare', 'ours'] as const;
type Kind = (typeof KINDS)[number];

/** @returns CPU of the server for one frame to one viewer, µs; and how many there were */
async function measure(kind: Kind): Promise<{ readonly us: number; readonly frames: number }> {
  const order: ConsoleOrder = {
    batches: Number(flags.seconds) * Number(flags.rate),
    linesEach: Number(flags.lines),
    pauseMs: 1_000 / Number(flags.rate),
  };
  const options: ConsoleServerOptions = { kind };
  const server = forkScript('console-server.ts', [JSON.stringify(options)]);
  const port = (await hear(server)) as number;
  const viewing: ConsoleClientOptions = {
    ...{ port, viewers: Number(flags.viewers), lines: order.batches * order.linesEach },
  };
  const client = forkScript('console-client.ts', [JSON.stringify(viewing)]);
  await hear(client);
  const [spent, seen] = [hear(server), hear(client)];
  server.send(order);
  const [{ user, system }, frames] = (await Promise.all([spent, seen])) as [
    NodeJS.CpuUsage,
    number,
  ];
  const ended = once(server, 'exit');
  server.kill();
  await ended;
  return { us: (user + system) / frames, frames };
}

const results: Record<Kind, number[]> = { bare: [], ours: [] };
const frames: Record<Kind, number> = { bare: 0, ours: 0 };
for (let round = 0; round < Number(flags.rounds); round += 1) {
  for (const kind of KINDS) {
    const measured = await measure(kind);
    results[kind].push(measured.us);
    frames[kind] = measured.frames;
  }
}

console.log(`${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}`);
console.log(
  `${flags.viewers} viewers, ${flags.rate} frames of ${flags.lines} lines a second, ${flags.seconds} s, ${flags.rounds} rounds`,
);
const floor = medianOf(results.bare);
console.log(
  formatTable(
    ['', 'frames', 'CPU a frame, µs', '× bare'],
    KINDS.map((kind) => [
      kind === 'bare' ? 'a loop over sockets' : 'our console',
      count(frames[kind]),
      spread(results[kind], fixed),
      fixed(medianOf(results[kind]) / floor, 2),
    ]),
  ),
);
