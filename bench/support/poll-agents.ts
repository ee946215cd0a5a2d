import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/**
 * Agents in a process of their own: just enough HTTP for whoever polls them, so that they cost
 * this machine as little as they can. The first message says which share of them hangs.
 */

export interface AgentsCommand {
  /** Every n-th agent takes questions and does not answer; 0: all answer. */
  readonly hangEvery: number;
}

export interface AgentsReport {
  readonly port: number;
  readonly cpu: NodeJS.CpuUsage;
  readonly answers: number;
}

const respond = (body: object): Buffer => {
  const text = JSON.stringify(body);
  return Buffer.from(
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n' +
      `Content-Length: ${text.length}\r\n\r\n${text}`,
  );
};
const HEALTH = respond({ ok: true });
const READY = respond({ ready: true, readySource: 'minecraft_ping' });
const STATUS = respond({ state: 'running', crashCount: 0, players: 7, uptimeSeconds: 4_711 });
/** Of "GET /health", "GET /ready", "GET /status": which of them it is. */
const LETTER_AT = 'GET /'.length;
const [H, R] = ['h', 'r'].map((letter) => letter.charCodeAt(0));

let hangEvery = 0;
let answers = 0;

const server = createServer({ noDelay: true }, (socket) => {
  const [, , third = '0', last = '0'] = (socket.localAddress ?? '').split('.');
  const index = (Number(third) << 8) | Number(last);
  socket.on('error', () => {});
  // A question fits into one packet, and whoever asks waits for the answer.
  socket.on('data', (chunk) => {
    if (hangEvery > 0 && index % hangEvery === 0) return;
    const letter = chunk[LETTER_AT];
    answers += 1;
    socket.write(letter === H ? HEALTH : letter === R ? READY : STATUS);
  });
});
server.listen({ port: 0, host: '0.0.0.0', backlog: 4_096 });
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

process.on('message', (command: AgentsCommand) => {
  hangEvery = command.hangEvery;
  process.send?.({ port, cpu: process.cpuUsage(), answers } satisfies AgentsReport);
});
process.on('disconnect', () => process.exit(0));
