import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import type { Agent } from './agent.ts';
import type { Console } from './console.ts';
import { createWebSocketServer, type WebSocket } from './packages.ts';

/** What a client leaves unread before it is sent no more: it is all in the log. */
const UNREAD_MAX = 256 * 1024;

/**
 * The console over a WebSocket: commands in, one text frame each, and lines out: bare ones, or
 * with their numbers for whoever asks with `protocol=zpack.console.v1` (docs/console.md).
 */
export function createConsoleStream(
  agent: Pick<Agent, 'console' | 'command'>,
  isAllowed: (request: IncomingMessage) => boolean,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  let sockets: ReturnType<typeof createWebSocketServer> | undefined;

  return (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname !== '/console/stream') return refuse(socket, '404 Not Found');
    if (!isAllowed(request)) return refuse(socket, '401 Unauthorized');
    sockets ??= createWebSocketServer();
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      const isNumbered = searchParams.get('protocol') === 'zpack.console.v1';
      if (isNumbered) sendNumbered(client, agent.console, searchParams);
      else sendLines(client, agent.console);
      client.on('message', (data) => {
        try {
          agent.command(data.toString('utf8').replace(/[\r\n]+$/, ''));
        } catch (error) {
          const text = `[agent] ${error instanceof Error ? error.message : String(error)}`;
          client.send(isNumbered ? JSON.stringify({ type: 'refused', text }) : text);
        }
      });
    });
  };
}

function sendLines(client: WebSocket, console: Console): void {
  pour(client, console, console.recent(), (_, lines) => lines);
}

function sendNumbered(client: WebSocket, console: Console, asked: URLSearchParams): void {
  const { epoch } = console;
  const number = (name: string) => {
    const text = asked.get(name) ?? '';
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  };
  const isSame = (asked.get('epoch') ?? epoch) === epoch;
  const wanted = isSame ? number('from') : undefined;
  const from = Math.min(wanted ?? console.recent(number('tail')), console.next());
  const [first, next] = [console.first(), console.next()];
  client.send(JSON.stringify({ type: 'hello', epoch, from, first, next }));
  pour(client, console, from, (offset, lines) => [
    JSON.stringify({ type: 'output', offset, lines }),
  ]);
}

/** Sends no faster than is read, and never holds more of the log than that. */
function pour(
  client: WebSocket,
  console: Console,
  from: number,
  framesOf: (offset: number, lines: readonly string[]) => readonly string[],
): void {
  let cursor = from;
  let isFull = false;
  const pump = () => {
    while (!isFull && client.readyState === 1 && cursor < console.next()) {
      // What is not kept any more is passed over: its numbers say so.
      cursor = Math.max(cursor, console.first());
      const lines = console.read(cursor);
      const frames = framesOf(cursor, lines);
      cursor += lines.length;
      for (const frame of frames.slice(0, -1)) client.send(frame);
      isFull = client.bufferedAmount > UNREAD_MAX;
      client.send(frames.at(-1) ?? '', () => {
        if (!isFull) return;
        isFull = false;
        pump();
      });
    }
  };
  const following = console.follow(pump);
  client.on('close', () => following[Symbol.dispose]());
  pump();
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
