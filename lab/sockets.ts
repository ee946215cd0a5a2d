import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Opens a connection that ends with the listener on whose behalf it was opened. */
export type Dial = (target: Target) => Promise<Socket>;

export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Connections that are open: those accepted, and those dialled for them. */
  connections(): number;
  /** Breaks all of them. */
  drop(): void;
}

interface ListenerOptions extends Target {
  readonly accept: (socket: Socket, dial: Dial) => Promise<void>;
}

const DIAL_TIMEOUT_MS = 3_000;

/** Listens with TCP, for something that forwards. Disposal returns when every socket is gone. */
export async function listenTcp({ host, port, accept }: ListenerOptions): Promise<Listener> {
  const open = new Set<Socket>();
  let closed: Promise<void> | undefined;

  function track(socket: Socket): void {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // An error is followed by `close`, to which whoever owns the socket listens.
    socket.on('error', () => undefined);
  }

  const dial: Dial = (target) =>
    new Promise((resolve, reject) => {
      if (!server.listening) throw new Error('the listener is closed');
      const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
      track(socket);
      socket.setTimeout(DIAL_TIMEOUT_MS, () => socket.destroy());
      socket.once('connect', () => {
        socket.setTimeout(0);
        resolve(socket);
      });
      socket.once('close', () => reject(new Error(`${target.host}:${target.port} is not there`)));
    });

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    track(socket);
    accept(socket, dial).catch(() => socket.destroy());
  });
  server.listen(port, host);
  await once(server, 'listening');

  function drop(): void {
    for (const socket of open) socket.destroy();
  }

  async function close(): Promise<void> {
    const ended = once(server, 'close');
    server.close();
    const gone = [...open].map((socket) => once(socket, 'close'));
    drop();
    await Promise.all([ended, ...gone]);
  }

  return {
    port: (server.address() as AddressInfo).port,
    connections: () => open.size,
    drop,
    [Symbol.asyncDispose]() {
      closed ??= close();
      return closed;
    },
  };
}

/**
 * What one side says the other hears, and the end of it too: who has said all may still listen.
 * Nobody is read from faster than the other side takes it.
 */
export function splice(one: Socket, other: Socket): void {
  join(one, other);
  join(other, one);
}

function join(from: Socket, to: Socket): void {
  if (from.destroyed) to.destroy();
  from.once('close', (hadError) => {
    if (hadError || !from.readableEnded || !from.writableFinished) to.destroy();
  });
  from.pipe(to);
}
