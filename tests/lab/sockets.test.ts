import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';

import { freePort } from '../../lab/services/free-port.ts';
import { listenTcp, splice } from '../../lab/sockets.ts';
import { until } from '../support/until.ts';

const HOST = '127.0.0.1';

test('more than anybody buffers is carried in both directions, and the end of it', async () => {
  await using t = await setUp();
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const socket = await t.connect();

  // What comes back after the last word has been said still arrives.
  for (let count = 0; count < 256; count += 1) socket.write(chunk);
  socket.end();
  let bytes = 0;
  for await (const received of socket) bytes += received.length;

  expect(bytes).toBe(256 * chunk.length);
  await until(() => t.listener.connections() === 0, { what: 'the end of both connections' });
});

test('a listener that does not read stops the speaker, and nobody fills memory for it', async () => {
  await using t = await setUp();
  const speaker = await t.connect();
  const game = await t.accepted(0);
  game.unpipe().pause();

  speaker.write(Buffer.alloc(64 * 1024 * 1024));
  await until(() => t.forwarding().some((one) => one.writableNeedDrain), { what: 'a full buffer' });
  const held = t.forwarding().map((one) => one.writableLength + one.readableLength);
  game.resume();
  await once(speaker, 'drain');

  expect(Math.max(...held)).toBeLessThan(1024 * 1024);
});

test('a connection that breaks on one side breaks on the other', async () => {
  await using t = await setUp();
  const leaving = await t.connect();
  const left = await t.accepted(0);
  const leftClosed = once(left, 'close');

  leaving.resetAndDestroy();
  await leftClosed;
  const staying = await t.connect();
  const end = once(staying.resume(), 'end');
  (await t.accepted(1)).resetAndDestroy();
  await end;
  staying.destroy();

  await until(() => t.listener.connections() === 0, { what: 'the end of all connections' });
});

test('a connection that leads nowhere ends, and disposal ends the rest', async () => {
  const nobody = await freePort();
  await using astray = await setUp(nobody);
  await using t = await setUp();

  const lost = await astray.connect();
  await once(lost.resume(), 'end');
  const alive = await t.connect();
  await t.accepted(0);
  const open = t.listener.connections();
  const ended = once(alive.resume(), 'end');
  await t.listener[Symbol.asyncDispose]();
  await ended;

  expect([open, t.listener.connections()]).toEqual([2, 0]);
});

/** A game that says back what it hears, and a forwarder before it. */
async function setUp(port?: number) {
  const stack = new AsyncDisposableStack();
  const games: Socket[] = [];
  const forwarding: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    games.push(socket.on('error', () => undefined));
    socket.pipe(socket);
  }).listen(0, HOST);
  await once(server, 'listening');
  stack.defer(() => {
    for (const socket of games) socket.destroy();
    server.close();
  });
  const target = { host: HOST, port: port ?? (server.address() as AddressInfo).port };
  const listener = await listenTcp({
    host: HOST,
    port: 0,
    async accept(socket, dial) {
      const game = await dial(target);
      forwarding.push(socket, game);
      splice(socket, game);
    },
  });
  stack.use(listener);
  return {
    listener,
    forwarding: (): readonly Socket[] => forwarding,
    async connect(): Promise<Socket> {
      const socket = connect({ host: HOST, port: listener.port, allowHalfOpen: true });
      stack.defer(() => void socket.destroy());
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    },
    accepted: (index: number) => until(() => games[index], { what: `game ${index}` }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
