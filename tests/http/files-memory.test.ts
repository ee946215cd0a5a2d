import { once } from 'node:events';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { PREFIXES, startFilesWorld } from './files-world.ts';

const t = await startFilesWorld();
afterAll(() => t[Symbol.asyncDispose]());

const MIB = 1024 * 1024;
const BYTES = 600 * MIB;
/** Of all test files of this process, some of which leave garbage: far less than what travels. */
const GROWTH_MAX = 300 * MIB;
const CHUNK = Buffer.alloc(MIB / 4);

async function upload(bytes: number): Promise<number | undefined> {
  const url = t.urlOf(PREFIXES[0], '/upload', { path: 'large' });
  const request = t.open('POST', url, { 'content-length': bytes });
  const answered = once(request, 'response');
  for (let sent = 0; sent < bytes; sent += CHUNK.length) {
    if (!request.write(CHUNK)) await once(request, 'drain');
  }
  request.end();
  const [answer] = await answered;
  answer.resume();
  return answer.statusCode;
}

async function download(): Promise<number> {
  const request = t.open('GET', t.urlOf(PREFIXES[0], '/download', { path: 'large' }), {});
  request.end();
  const [answer] = await once(request, 'response');
  let received = 0;
  for await (const chunk of answer) received += chunk.length;
  return received;
}

/** The client's share is in it, as it is this process, too. */
async function growthOf(act: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let peak = before;
  const watching = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 10);
  await act();
  clearInterval(watching);
  return peak - before;
}

test('files of any size go through in the same memory', async () => {
  await upload(32 * MIB);
  await download();

  const up = await growthOf(async () => expect(await upload(BYTES)).toBe(201));
  const size = statSync(join(t.served, 'large')).size;
  const down = await growthOf(async () => expect(await download()).toBe(BYTES));

  expect(size).toBe(BYTES);
  expect(up).toBeLessThan(GROWTH_MAX);
  expect(down).toBeLessThan(GROWTH_MAX);
});

test('a client that does not read stops the agent, and fills nothing', async () => {
  writeFileSync(join(t.served, 'huge'), '');
  truncateSync(join(t.served, 'huge'), 2 * 1024 * MIB);
  const request = t.open('GET', t.urlOf(PREFIXES[0], '/download', { path: 'huge' }), {});
  request.on('error', () => undefined).end();

  const growth = await growthOf(async () => {
    const [answer] = await once(request, 'response');
    let before = 0;
    await until(
      () => {
        const isStill = answer.socket.bytesRead === before;
        before = answer.socket.bytesRead;
        return isStill;
      },
      { what: 'nothing to move any more' },
    );
  });

  request.destroy();
  expect(growth).toBeLessThan(GROWTH_MAX);
  await t.isQuiet();
});
