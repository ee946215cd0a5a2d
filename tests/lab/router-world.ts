import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import { startRouter } from '../../lab/router/router.ts';
import { until } from '../support/until.ts';

export const HOST = '127.0.0.1';
export const TOKEN = 'token-of-the-router';

/** A router, and a control plane that gives it the configuration which the test wants. */
export async function setUp({ idleMs = 3_000 } = {}) {
  await using stack = new AsyncDisposableStack();
  const seen: { authorization: string | undefined; answer: number }[] = [];
  let [status, text, etag, version] = [200, '{}', '"0"' as string | undefined, 0];
  const server = createHttpServer((request, response) => {
    const { authorization } = request.headers;
    const isSame = etag !== undefined && request.headers['if-none-match'] === etag;
    const answer = isSame ? 304 : status;
    seen.push({ authorization, answer });
    response.writeHead(answer, etag ? { etag } : {}).end(answer === 200 ? text : undefined);
  }).listen(0, HOST);
  stack.defer(() => server.closeAllConnections());
  stack.defer(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const router = stack.use(
    await startRouter({
      url: `http://${HOST}:${port}/traefik/dynamic`,
      token: TOKEN,
      entryPoints: { terraria: { protocol: 'tcp', port: 0 }, rust: { protocol: 'udp', port: 0 } },
      pollMs: 5,
      idleMs,
    }),
  );
  await until(() => router.polls().applied === 1, { what: 'the first configuration' });
  const everything = stack.move();

  function publish(answer: object | string | number): void {
    version += 1;
    etag = `"${version}"`;
    status = typeof answer === 'number' ? answer : 200;
    text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  }

  async function openTcp() {
    const socket = everything.use(connectTcp(router.ports['terraria'] ?? 0));
    await once(socket.socket, 'connect');
    return socket;
  }

  const openUdp = () => connectUdp(router.ports['rust'] ?? 0);
  return {
    router,
    seen,
    answerWithoutEtag() {
      etag = undefined;
    },
    async configure(document: object) {
      const { applied } = router.polls();
      publish(document);
      await until(() => router.polls().applied > applied, { what: 'the new configuration' });
    },
    async reject(answer: object | string | number) {
      const { rejected } = router.polls();
      publish(answer);
      await until(() => router.polls().rejected > rejected, { what: 'the rejection' });
    },
    openTcp,
    openUdp,
    async askTcp(line: string) {
      return (await openTcp()).ask(line);
    },
    async askUdp(line: string) {
      await using client = await openUdp();
      return await client.ask(line);
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

function connectTcp(port: number) {
  const socket = connect(port, HOST);
  socket.on('error', () => undefined);
  return {
    socket,
    async ask(line: string): Promise<string> {
      const answer = once(socket, 'data');
      socket.write(line);
      return String((await answer)[0]);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

async function connectUdp(port: number) {
  const socket = createSocket('udp4').bind(0, HOST);
  await once(socket, 'listening');
  return {
    async ask(line: string): Promise<string> {
      const answer = once(socket, 'message');
      socket.send(line, port, HOST);
      return String((await answer)[0]);
    },
    [Symbol.asyncDispose]: async () => void socket.close(),
  };
}

export async function startTcpGame(name: string) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    socket.on('data', (line) => socket.write(`${name} ${line}`));
  }).listen(0, HOST);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function startUdpGame(name: string) {
  const peers: number[] = [];
  const socket = createSocket('udp4').bind(0, HOST);
  socket.on('message', (line, peer) => {
    peers.push(peer.port);
    socket.send(`${name} ${line}`, peer.port, peer.address);
  });
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    peers,
    [Symbol.asyncDispose]: async () => void socket.close(),
  };
}
