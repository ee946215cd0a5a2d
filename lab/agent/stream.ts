import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import type { Agent } from './agent.ts';
import { createWebSocketServer } from './packages.ts';

/** The console over a WebSocket: lines out, commands in, one text frame each. */
export function createConsoleStream(
  agent: Agent,
  isAllowed: (request: IncomingMessage) => boolean,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  let sockets: ReturnType<typeof createWebSocketServer> | undefined;

  return (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname !== '/console/stream') return refuse(socket, '404 Not Found');
    if (!isAllowed(request)) return refuse(socket, '401 Unauthorized');
    sockets ??= createWebSocketServer();
    sockets.handleUpgrade(request, socket, head, (client) => {
      for (const line of agent.console.recent()) client.send(line);
      const following = agent.console.follow((line) => client.send(line));
      client.on('close', () => following[Symbol.dispose]());
      client.on('error', () => client.terminate());
      client.on('message', (data) => {
        try {
          agent.command(data.toString('utf8').replace(/[\r\n]+$/, ''));
        } catch (error) {
          client.send(`[agent] ${error instanceof Error ? error.message : String(error)}`);
        }
      });
    });
  };
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
