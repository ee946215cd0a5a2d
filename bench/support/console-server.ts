import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { type WebSocket, WebSocketServer } from 'ws';

import type { AgentConsole, ConsoleListener } from '../../src/clients/agent/console.ts';
import { CONSOLE_LIMITS, createConsoleHub } from '../../src/http/console/hub.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createFleet, type FleetEntry } from '../../src/view/fleet.ts';
import { serve } from '../../tests/support/instance-life.ts';

/**
 * A console that says so many lines at a steady rate to all who look, in a process of its own: our
 * own one, without sign-ins, or a loop over sockets that sends each the same bytes.
 */

export interface ConsoleServerOptions {
  readonly kind: 'ours' | 'bare';
}

export interface ConsoleOrder {
  readonly batches: number;
  readonly linesEach: number;
  readonly pauseMs: number;
}

interface Speaker {
  readonly add: (socket: WebSocket) => void;
  readonly say: (offset: number, lines: readonly string[]) => void;
}

function createBare(): Speaker {
  const sockets = new Set<WebSocket>();
  return {
    add(socket) {
      socket.send(JSON.stringify({ type: 'hello' }));
      sockets.add(socket);
    },
    say(offset, lines) {
      const frame = Buffer.from(JSON.stringify({ type: 'output', offset, lines }));
      for (const socket of sockets) socket.send(frame, { binary: false });
    },
  };
}

function createOurs(): Speaker {
  let listener: ConsoleListener | undefined;
  const consoles: Pick<AgentConsole, 'watch' | 'readLog'> = {
    watch(_ip, _start, heard) {
      listener = heard;
      queueMicrotask(() => heard.started({ epoch: 'bench', from: 0, isNumbered: true }));
      return { [Symbol.dispose]: () => {} };
    },
    readLog: () => Promise.reject(new Error('nobody ought to be so slow')),
  };
  const { value, context } = serve().state;
  const at = new Date();
  const entry = {
    ...{ id: '5001-bench', vmid: 5_001, version: 1, customerId: 'u', createdAt: at, updatedAt: at },
    ...{ state: { value, context, since: {} }, derived: new Map() },
  } as FleetEntry;
  const principal = { userId: 'u', role: 'user', credentialId: 's', scopes: null } as const;
  const many = { viewersMax: 1e6, viewersEachMax: 1e6, ringBytes: 512 * 1024, awayMaxMs: 60_000 };
  const hub = createConsoleHub({
    ...{ consoles: consoles as AgentConsole, fleet: createFleet(), sendCommand: async () => {} },
    ...{ limits: { ...CONSOLE_LIMITS, ...many }, logger: createLogger('silent'), now: Date.now },
    findRoles: async () => new Map([['s', 'user'] as const]),
    ...{ random: Math.random, closing: new AbortController().signal },
  });
  return {
    add: (socket) => hub.open({ socket, entry, principal, isPlain: false, resumption: null }),
    say: (offset, lines) => listener?.output(offset, lines),
  };
}

async function main({ kind }: ConsoleServerOptions): Promise<void> {
  const speaker = kind === 'ours' ? createOurs() : createBare();
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
  sockets.on('connection', speaker.add);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.on('message', async ({ batches, linesEach, pauseMs }: ConsoleOrder) => {
    const before = process.cpuUsage();
    const begunAt = performance.now();
    for (let batch = 0; batch < batches; batch += 1) {
      const offset = batch * linesEach;
      const lines = Array.from(
        { length: linesEach },
        (_, n) => `[12:00:00 INFO]: line ${offset + n}`,
      );
      speaker.say(offset, lines);
      await delay(Math.max(0, begunAt + (batch + 1) * pauseMs - performance.now()));
    }
    process.send?.(process.cpuUsage(before));
  });
  process.send?.((server.address() as AddressInfo).port);
}

await main(JSON.parse(process.argv[2] ?? '{}') as ConsoleServerOptions);
