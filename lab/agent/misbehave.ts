import type { IncomingMessage, ServerResponse } from 'node:http';

import { type Misbehaviour, noteFired, readFaults } from './faults.ts';

const HUGE = Buffer.alloc(10 * 1024 * 1024, ' ');
const DRIP_MS = 20;

export type Misbehave = (request: IncomingMessage, response: ServerResponse) => void;

export const WAYS: Readonly<Record<Exclude<Misbehaviour, 'flap'>, Misbehave>> = {
  hang: () => {},
  drip(_, response) {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), DRIP_MS);
    response.on('close', () => clearInterval(timer));
  },
  huge: (_, response) => void response.writeHead(200).end(HUGE),
  garbage: (_, response) => void response.writeHead(200).end('\u0000<html>"ready":true'),
  noise: ({ socket }) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
  half_close: ({ socket }) =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"ready":true'),
  drop: ({ socket }) => void socket.destroy(),
};

/** Answers as the faults of this agent want it. The result says whether they did. */
export function createMisbehaviour(root: string) {
  let requests = 0;
  return (path: string, request: IncomingMessage, response: ServerResponse): boolean => {
    const way = readFaults(root).answers?.[path];
    if (!way) return false;
    requests += 1;
    if (way === 'flap' && requests % 2 === 0) return false;
    noteFired(root, way, path);
    WAYS[way === 'flap' ? 'drop' : way](request, response);
    return true;
  };
}
