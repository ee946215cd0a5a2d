import { createHash, randomBytes } from 'node:crypto';
import { type IncomingHttpHeaders, request as send } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { WebSocket } from 'ws';

import { type Faults, readFired, writeFaults } from '../../lab/agent/faults.ts';
import {
  ADMIN,
  ALICE,
  BOB,
  type Client,
  startTestApp,
  type TestAppOptions,
} from '../support/app.ts';
import { until } from '../support/until.ts';

export const SUFFIX = 'ide.localhost';
const WAIT = { prefer: 'wait=20' };

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Of the node that is asked, if it is not the first one. */
  readonly port?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly cookies: readonly string[];
  readonly text: string;
}

/** Where an IDE is seen: the path that goes before its own, and the host. */
export interface Route {
  readonly prefix: string;
  readonly host: string;
  /** Of the node that is asked. */
  readonly port: string;
}

/** Dev containers of Alice and Bob, and both ways to them. */
export async function startIdeWorld(options: TestAppOptions = {}) {
  await using opened = new AsyncDisposableStack();
  const app = opened.use(
    await startTestApp({
      ...options,
      environment: { DEV_IDE_HOST_SUFFIX: SUFFIX, HOST_SWEEP_MS: '500', ...options.environment },
    }),
  );
  const { port } = new URL(app.url);
  const [alice, bob] = [await app.signIn(ALICE), await app.signIn(BOB)];
  const admin = await app.signIn(ADMIN);
  const rootOf = (vmid: number) =>
    app.proxmox.containers().find((one) => one.vmid === vmid)?.rootfs ?? '';
  const tunnel = (vmid: number): Route => ({
    ...{ prefix: `/__ide/${vmid}`, host: `127.0.0.1:${port}`, port },
  });
  const hosted = (vmid: number): Route => ({
    ...{ prefix: '', host: `dev-${vmid}.${SUFFIX}:${port}`, port },
  });

  function ask(path: string, { method = 'GET', headers = {}, body, port: at = port }: Asked = {}) {
    return new Promise<Answered>((resolve, reject) => {
      const sent = send({ host: '127.0.0.1', port: at, path, method, headers, agent: false });
      sent.on('error', reject);
      sent.on('response', (answer) => {
        const { statusCode: status = 0, headers: got } = answer;
        text(answer).then(
          (all) => resolve({ status, headers: got, cookies: got['set-cookie'] ?? [], text: all }),
          reject,
        );
      });
      sent.end(body);
    });
  }

  async function invite(client: Client, vmid: number) {
    const { status, body } = await client.call('POST', `/api/dev/${vmid}/ide-token`);
    if (status !== 200) throw new Error(`no token: ${JSON.stringify(body)}`);
    app.keepSecret(body.token);
    return body as { readonly token: string; readonly url: string; readonly expiresIn: number };
  }

  /** Goes the whole way in. @returns the cookie */
  async function enter(client: Client, vmid: number, route: Route): Promise<string> {
    const { token } = await invite(client, vmid);
    const { host, port } = route;
    const answer = await ask(`${route.prefix}/?token=${token}`, { port, headers: { host } });
    const cookie = answer.cookies[0]?.split(';')[0] ?? '';
    if (answer.status !== 303 || cookie === '') throw new Error(`not let in: ${answer.status}`);
    app.keepSecret(cookie.slice(cookie.indexOf('=') + 1));
    return cookie;
  }

  /** As a page of the IDE asks. */
  const inside = (route: Route, cookie: string, path: string, { headers, ...rest }: Asked = {}) =>
    ask(`${route.prefix}${path}`, {
      headers: { host: route.host, origin: `http://${route.host}`, cookie, ...headers },
      ...{ port: route.port, ...rest },
    });

  function connect(
    route: Route,
    headers: Readonly<Record<string, string>>,
    path = '/terminal',
  ): WebSocket {
    const { host, prefix, port } = route;
    const all = { host, origin: `http://${host}`, ...headers };
    const socket = new WebSocket(`ws://127.0.0.1:${port}${prefix}${path}`, { headers: all });
    socket.on('error', () => {});
    return socket;
  }

  const closing = opened.move();
  return {
    ...{ app, alice, bob, admin, tunnel, hosted, ask, invite, enter, inside, connect, rootOf },
    async create(client: Client, order: object = {}): Promise<number> {
      const dev = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };
      const body = { ...dev, ...order };
      const answer = await client.call('POST', '/api/instances', { body, headers: WAIT });
      if (answer.body.operation?.state === 'succeeded') return answer.body.vmid;
      throw new Error(`the container was not made: ${JSON.stringify(answer.body)}`);
    },
    power: (client: Client, vmid: number, verb: string) =>
      client.call('POST', `/api/servers/${vmid}/host/${verb}`, { headers: WAIT }),
    homeOf: (vmid: number) => join(rootOf(vmid), 'home', 'dev'),
    setFaults: (vmid: number, faults: Faults) => writeFaults(rootOf(vmid), faults),
    fired: (vmid: number) => readFired(rootOf(vmid)),
    /** What is on its way to IDEs. */
    async connections(): Promise<number> {
      const page = await (await fetch(`${app.url}/metrics`)).text();
      return Number(/^zpack_ide_connections (\d+)$/m.exec(page)?.[1]);
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

export type IdeWorld = Awaited<ReturnType<typeof startIdeWorld>>;

/** How a WebSocket has come out: `open`, or the status that it was refused with. */
export const outcomeOf = (socket: WebSocket): Promise<string> =>
  new Promise((resolve) => {
    socket.once('open', () => resolve('open'));
    socket.once('unexpected-response', (_, answer) => {
      answer.resume();
      resolve(String(answer.statusCode));
    });
    socket.once('error', () => resolve('error'));
  });

/** The next text that comes. */
export const heard = (socket: WebSocket): Promise<string> =>
  new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(String(data)));
    socket.once('close', () => reject(new Error('the socket was closed')));
  });

export const closed = (socket: WebSocket, timeoutMs: number): Promise<unknown> =>
  until(() => socket.readyState === WebSocket.CLOSED, { what: 'the socket to close', timeoutMs });

export const handshakeKey = (): string => randomBytes(16).toString('base64');
export const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
