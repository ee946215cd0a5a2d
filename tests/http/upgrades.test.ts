import { createServer } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { ConflictError } from '../../src/errors.ts';
import { attachUpgrades } from '../../src/http/upgrades.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

let opened: AsyncDisposableStack;
beforeEach(() => {
  opened = new AsyncDisposableStack();
});
afterEach(() => opened.disposeAsync());

const quiet = createLogger('silent');

async function open() {
  const server = createServer();
  attachUpgrades(
    server,
    [
      {
        claims: ({ url = '' }) => url.startsWith('/echo'),
        take: async (_request, socket, head) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
          socket.end(head);
        },
      },
      {
        claims: ({ url = '' }) => url.startsWith('/refused'),
        take: () => Promise.reject(new ConflictError('not now', { code: 'host_not_running' })),
      },
      {
        claims: ({ url = '' }) => url.startsWith('/broken'),
        take: () => Promise.reject(new Error('the secret inside')),
      },
    ],
    quiet,
  );
  opened.defer(async () => {
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  async function upgrade(path: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: y\r\n\r\nrest`,
    );
    return await text(socket);
  }
  return { server, upgrade };
}

test('the first taker that claims a request has its connection, and what came with it', async () => {
  const { upgrade } = await open();
  expect(await upgrade('/echo')).toBe('HTTP/1.1 101 Switching Protocols\r\n\r\nrest');
});

test('whatever refuses an upgrade is answered as a problem with the status of its code', async () => {
  const { upgrade } = await open();
  const refused = await upgrade('/refused?ticket=abc');
  expect(refused).toMatch(/^HTTP\/1\.1 409 Conflict\r\nContent-Type: application\/problem\+json/);
  expect(refused).toContain('"error":"host_not_running"');
  const missing = await upgrade('/nowhere?ticket=abc');
  expect(missing).toMatch(/^HTTP\/1\.1 404 /);
  expect(missing).not.toContain('abc');
});

test('a bug of ours is a 500 that says nothing of itself', async () => {
  const { upgrade } = await open();
  const broken = await upgrade('/broken');
  expect(broken).toMatch(/^HTTP\/1\.1 500 /);
  expect(broken).not.toContain('secret');
});

test('a server takes one upgrade handler, not two', async () => {
  const { server } = await open();
  expect(() => attachUpgrades(server, [], quiet)).toThrow('upgrade handler already');
  expect(server.listenerCount('upgrade')).toBe(1);
});
