import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

import type { Target } from '../sockets.ts';

export interface UdpForwarder extends AsyncDisposable {
  readonly port: number;
  sessions(): number;
}

interface UdpOptions extends Target {
  /** Where a client that we have not heard of goes; it stays there until it falls silent. */
  readonly route: () => Target | undefined;
  readonly idleMs: number;
}

interface Session {
  readonly socket: Socket;
  readonly target: Target;
  readonly idle: NodeJS.Timeout;
}

const SESSIONS_MAX = 1_000;

/**
 * UDP has no connections: a session is what one client says and is answered, through a socket of
 * its own, since the answers carry nothing else that tells for whom they are.
 */
export async function listenUdp({ host, port, route, idleMs }: UdpOptions): Promise<UdpForwarder> {
  const entry = createSocket('udp4');
  const sessions = new Map<string, Session>();

  function end(key: string): void {
    const session = sessions.get(key);
    if (!session) return;
    sessions.delete(key);
    clearTimeout(session.idle);
    session.socket.close();
  }

  function begin(key: string, client: RemoteInfo): Session | undefined {
    const target = route();
    if (!target || sessions.size >= SESSIONS_MAX) return undefined;
    const socket = createSocket('udp4');
    const session = { socket, target, idle: setTimeout(() => end(key), idleMs) };
    socket.on('error', () => end(key));
    socket.on('message', (message, from) => {
      // Anybody may send to this port; only the server is passed on.
      if (from.address !== target.host || from.port !== target.port) return;
      session.idle.refresh();
      entry.send(message, client.port, client.address, ignore);
    });
    sessions.set(key, session);
    return session;
  }

  entry.on('message', (message, client) => {
    const key = `${client.address}:${client.port}`;
    const session = sessions.get(key) ?? begin(key, client);
    session?.idle.refresh();
    session?.socket.send(message, session.target.port, session.target.host, ignore);
  });
  entry.bind(port, host);
  await once(entry, 'listening');
  entry.on('error', () => undefined);

  return {
    port: entry.address().port,
    sessions: () => sessions.size,
    async [Symbol.asyncDispose]() {
      const closed = [entry, ...[...sessions.values()].map(({ socket }) => socket)].map((socket) =>
        once(socket, 'close'),
      );
      for (const key of [...sessions.keys()]) end(key);
      entry.close();
      await Promise.all(closed);
    },
  };
}

/** A datagram may get lost, and nobody is told. */
function ignore(): void {}
