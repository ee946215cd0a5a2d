import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

import { NotFoundError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { toProblem } from './problem.ts';

/** Of those requests that take their connection over from HTTP, one kind: a console, an IDE. */
export interface UpgradeTaker {
  /** Is this request of its kind? The first taker that says so has it. */
  claims(request: IncomingMessage): boolean;
  /**
   * Answers, and has the socket from then on; its errors are listened to already. What it rejects
   * with before it has written anything is answered as a problem.
   */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
}

const attached = new WeakSet<Server>();

/**
 * The one upgrade handler of a server. A second one would answer on sockets that are the first's,
 * so attaching twice is refused.
 */
export function attachUpgrades(
  server: Server,
  takers: readonly UpgradeTaker[],
  logger: Logger,
): void {
  if (attached.has(server)) throw new Error('this server has its upgrade handler already');
  attached.add(server);
  server.on('upgrade', (request, socket, head) => {
    // Whoever goes away in the middle ends his own connection, and nothing else.
    socket.on('error', () => socket.destroy());
    void answer(request, socket, head).catch((error: unknown) => {
      const problem = toProblem(error, 'about:blank');
      const fields = { method: request.method, path: pathOf(request), status: problem.status };
      if (problem.status >= 500) logger.error({ err: error, ...fields }, problem.title);
      else logger.info(fields, 'upgrade refused');
      refuseUpgrade(socket, problem.status, JSON.stringify(problem));
    });
  });

  async function answer(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const taker = takers.find((one) => one.claims(request));
    if (!taker) throw new NotFoundError(`there is no WebSocket at ${pathOf(request)}`);
    await taker.take(request, socket, head);
  }
}

/** Of a request that no framework has looked at. Its query may hold a ticket: it is left out. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

/** Answers in HTTP, as nothing else has been agreed upon, and ends the connection. */
export function refuseUpgrade(socket: Duplex, status: number, problem: string): void {
  if (socket.destroyed || !socket.writable) return;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(problem)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${problem}`);
}
