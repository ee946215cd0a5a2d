import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startGame } from '../../lab/agent/game-process.ts';
import { GAMES } from '../../lab/agent/games.ts';
import { payloadSchema } from '../../lab/agent/payload.ts';
import { freePort } from '../../lab/services/free-port.ts';
import { joinMinecraft, pingMinecraftAt } from '../../lab/velocity/player.ts';
import { startVelocity, type Velocity, type VelocityOptions } from '../../lab/velocity/velocity.ts';
import { until } from '../support/until.ts';
import { MINECRAFT } from './agent-world.ts';

const SECRET = 'shared-with-the-bridge';
const HASH = createHash('sha256').update(SECRET).digest('hex');
const VERSION = '1.20.4';
const HOST = '127.0.0.1';

describe('with a real Minecraft server behind it', () => {
  const stack = new AsyncDisposableStack();
  let port = 0;

  beforeAll(async () => {
    port = await startMinecraft(stack);
  });
  afterAll(() => stack.disposeAsync());

  test('a real player logs in by hostname, is heard and hears', async () => {
    await using t = await setUp();
    await t.post('/zpack/register', { server_name: 'mc-vanilla-5001', address: HOST, port });

    const pong = await pingMinecraftAt(t.door('MC-Vanilla-5001.play.test.'));
    await using player = await joinMinecraft({
      ...t.door('mc-vanilla-5001.play.test'),
      version: VERSION,
      username: 'alice',
    });
    player.say('is anybody here?');
    const heard = await until(() => player.chat().find((line) => line.includes('anybody')), {
      what: 'the chat',
      timeoutMs: 10_000,
    });

    expect(pong).toMatchObject({
      version: { name: VERSION },
      players: { max: 10 },
      description: { text: 'ZPack lab server' },
    });
    expect(heard).toContain('<alice> is anybody here?');
  });

  test('a restart throws players out and forgets what was registered', async () => {
    await using t = await setUp();
    const server = { server_name: 'hub', address: HOST, port };
    await t.post('/zpack/register', server);
    const door = t.door('hub.play.test');
    await using player = await joinMinecraft({ ...door, version: VERSION, username: 'bob' });

    t.velocity.restart();
    await player.gone;
    const after = await pingMinecraftAt(door);
    await t.post('/zpack/register', server);

    expect(t.velocity.servers()).toHaveLength(1);
    expect(after).toMatchObject({ description: { text: 'There is no server of this name.' } });
    expect(await pingMinecraftAt(door)).toMatchObject({ version: { name: VERSION } });
  });

  test('the bridge reports the registration and what its pings find', async () => {
    await using api = await startReceiver();
    await using t = await setUp({ pingMs: 20, reportUrl: api.url });
    const server = { server_name: 'hub', address: HOST, port };
    const nobody = { server_name: 'void', address: HOST, port: await freePort() };

    await t.post('/zpack/register', server);
    await t.post('/zpack/register', nobody);
    await until(() => api.received.length === 4, { what: 'four reports', timeoutMs: 10_000 });
    await t.post('/zpack/register', server);
    await until(() => api.received.length === 6, { what: 'two more', timeoutMs: 10_000 });

    expect(api.received.every(({ secret }) => secret === HASH)).toBe(true);
    const of = (name: string) =>
      api.received.map(({ body }) => body).filter((body) => body['server_name'] === name);
    const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
    const ok = { ...server, status: 'proxy_ping_ok', latency_ms: expect.any(Number), timestamp };
    const registered = { ...server, status: 'registered_with_proxy', timestamp };
    expect(of('hub')).toEqual([registered, ok, { ...registered, duplicate: true }, ok]);
    expect(of('void')).toEqual([
      { ...nobody, status: 'registered_with_proxy', timestamp },
      { ...nobody, status: 'proxy_ping_failed', detail: expect.any(String), timestamp },
    ]);
    // Whoever sent the last one hears of its answer a moment after we have given it.
    const answers = () => t.velocity.reports().map(({ answer }) => answer);
    await until(() => answers().length === 6, { what: 'the answer to the last report' });
    expect(answers()).toEqual(Array(6).fill(204));
  });
});

describe('a player whose server is not there', () => {
  test('is told so, whether the name is unknown or nobody listens', async () => {
    await using t = await setUp();
    const port = await freePort();
    await t.post('/zpack/register', { server_name: 'asleep', address: HOST, port });
    const join = (hostname: string) =>
      joinMinecraft({ ...t.door(hostname), version: VERSION, username: 'carol' });

    await expect(join('nobody.play.test')).rejects.toThrow('There is no server of this name.');
    await expect(join('asleep.play.test')).rejects.toThrow('The server does not answer.');
    const pong = await pingMinecraftAt(t.door('nobody.play.test'));

    expect(pong).toMatchObject({
      version: { name: 'Velocity' },
      players: { online: 0 },
      description: { text: 'There is no server of this name.' },
    });
  });

  test('may reach it by a hostname that the operator maps otherwise', async () => {
    await using game = await startEcho();
    const serverOf = (hostname: string) => (hostname === 'play.test' ? 'hub' : undefined);
    await using t = await setUp({ serverOf });
    await t.post('/zpack/register', { server_name: 'Hub', address: HOST, port: game.port });

    const socket = await t.greet('play.test\0FML2\0');
    socket.end('and now the game');

    expect(await textOf(socket)).toContain('and now the game');
  });

  test.each([
    ['says nothing that is a handshake', Buffer.from('GET / HTTP/1.1\r\nHost: play.test\r\n\r\n')],
    ['never stops to count', Buffer.alloc(6, 0xff)],
    ['leaves at once', Buffer.alloc(0)],
  ])('is dropped if it %s', async (_, bytes) => {
    await using t = await setUp();
    const socket = connect(t.velocity.gamePort, HOST);
    const closed = once(socket, 'close');

    socket.on('error', () => undefined).end(bytes);

    await closed;
  });
});

test('the bridge has the rules of Velocity, and nothing to say to strangers', async () => {
  await using t = await setUp();
  const hub = { server_name: 'Hub', address: '10.0.0.1', port: 25_565 };

  const answers = [
    await t.post('/zpack/register', hub),
    await t.post('/zpack/register', { ...hub, server_name: 'hub' }),
    await t.post('/zpack/register', { ...hub, port: 25_566 }),
    await t.post('/zpack/register', { ...hub, port: 0 }),
    await t.post('/zpack/unregister', { server_name: 'HUB' }),
    await t.post('/zpack/unregister', { server_name: 'hub' }),
    await t.post('/zpack/list', {}),
  ];
  const stranger = await t.post('/zpack/register', hub, 'f'.repeat(64));

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 409, 400, 200, 404, 404]);
  expect(answers[1]?.text).toBe('{"ok":true,"duplicate":true}');
  expect(stranger).toEqual({ status: 401, text: '' });
});

async function setUp(options: Partial<VelocityOptions> = {}) {
  const velocity: Velocity = await startVelocity({ secret: SECRET, ...options });
  const { host, gamePort } = velocity;
  return {
    velocity,
    door: (hostname: string) => ({ host, port: gamePort, hostname }),
    async post(path: string, body: object, secret = HASH) {
      const response = await fetch(new URL(path, velocity.url), {
        method: 'POST',
        headers: { 'x-zpack-secret': secret },
        body: JSON.stringify(body),
      });
      return { status: response.status, text: await response.text() };
    },
    /** A player who has said no more than where it wants to go. */
    async greet(hostname: string): Promise<Socket> {
      const socket = connect({ host, port: gamePort, allowHalfOpen: true });
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      const name = Buffer.from(hostname);
      const content = Buffer.from([0, 0, name.length, ...name, 0x63, 0xdd, 2]);
      socket.write(Buffer.from([content.length, ...content]));
      return socket;
    },
    [Symbol.asyncDispose]: () => velocity[Symbol.asyncDispose](),
  };
}

/** The same program that an agent starts inside a container. */
async function startMinecraft(stack: AsyncDisposableStack): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'zpack-velocity-'));
  stack.defer(() => rmSync(root, { recursive: true, force: true }));
  const port = await freePort();
  const payload = payloadSchema.parse({ ...MINECRAFT, version: VERSION });
  const game = GAMES.get('minecraft');
  if (!game || payload.container_type !== 'game') throw new Error('Minecraft is a game');
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  const running = startGame({ root, host: HOST, port, game, payload, write });
  stack.defer(() => running.stop());
  await until(() => lines.some((line) => line.startsWith('Done!')), {
    what: 'the world',
    timeoutMs: 30_000,
  });
  return port;
}

/** Stands for a game: it says back what it hears, and ends when it has heard all. */
async function startEcho() {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => undefined));
    socket.pipe(socket);
  }).listen(0, HOST);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Stands for the control plane: it takes the reports of the bridge. */
async function startReceiver() {
  const received: { secret: unknown; body: Record<string, unknown> }[] = [];
  const server = createHttpServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    received.push({ secret: request.headers['x-zpack-secret'], body: JSON.parse(text) });
    response.writeHead(204).end();
  }).listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${port}/internal/velocity/proxy-status`,
    received,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}
