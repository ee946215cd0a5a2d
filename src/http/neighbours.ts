import type { IncomingMessage } from 'node:http';

const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
/** Whoever stands in front of us speaks from here for somebody who is elsewhere. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** From this machine, and not by way of a proxy. */
export const isNeighbour = ({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>) =>
  LOOPBACK.test(socket.remoteAddress ?? '') &&
  FORWARDED.every((name) => headers[name] === undefined);
