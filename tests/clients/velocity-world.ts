import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

import { startVelocity, type VelocityOptions } from '../../lab/velocity/velocity.ts';
import { type Backend, createVelocityClient } from '../../src/clients/velocity/client.ts';

export const SECRET = 'shared-with-the-bridge';
export const HUB: Backend = { serverName: 'mc-paper-5001', address: '127.0.0.1', port: 25_565 };
export const ELSEWHERE: Backend = { ...HUB, port: 25_566 };
export const REGISTER = /\/register$/;
export const UNREGISTER = /\/unregister$/;

/** The bridge of the lab, and a client of it. */
export async function setUp(options: Partial<VelocityOptions> = {}, timeoutMs = 5_000) {
  const stack = new AsyncDisposableStack();
  const velocity = stack.use(await startVelocity({ secret: SECRET, ...options }));
  const connect = ({ secret = SECRET } = {}) =>
    createVelocityClient({ baseUrl: velocity.url, secret, timeoutMs });
  const client = stack.use(connect());
  return {
    velocity,
    client,
    connect,
    fault(
      kind: 'drop_before' | 'drop_after' | 'hang' | 'status',
      path: RegExp,
      method: 'GET' | 'POST' = 'POST',
      times = 1,
    ) {
      const rest = kind === 'status' ? { kind, status: 500, text: 'out of order' } : { kind };
      return velocity.faults.plan({ ...rest, path, method, times });
    },
    sent: (path: RegExp) => velocity.requests().filter((one) => path.test(one.path)).length,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A bridge that does what the test says, and a client of it. */
export async function setUpReplier(respond: RequestListener) {
  const server = createServer(respond).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const baseUrl = new URL(`http://127.0.0.1:${port}/`);
  const client = createVelocityClient({ baseUrl, secret: SECRET, timeoutMs: 5_000 });
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}
