import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { readFired } from '../../lab/agent/faults.ts';
import { until } from '../support/until.ts';
import { setUp } from './agent-world.ts';

const world = await setUp();
afterAll(() => world[Symbol.asyncDispose]());
const served = join(world.root, 'srv', 'game');
const staging = join(world.root, 'srv', '.zpack-uploads');
mkdirSync(served, { recursive: true });
beforeEach(() => world.setFaults({}));

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const waiting = () => readdirSync(staging);

async function ask(
  method: string,
  path: string,
  query: Readonly<Record<string, string>> = {},
  { body, headers = {} }: { body?: Buffer | string; headers?: Record<string, string> } = {},
) {
  const response = await fetch(
    `${world.agent.url}/game/files${path}?${new URLSearchParams(query)}`,
    { method, headers, ...(body !== undefined && { body: new Uint8Array(Buffer.from(body)) }) },
  );
  const bytes = Buffer.from(await response.arrayBuffer());
  const isJson = response.headers.get('content-type') === 'application/json';
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
    body: (isJson ? JSON.parse(bytes.toString()) : null) as any,
  };
}

describe('files', () => {
  test('are listed by pages, and removed, renamed and made', async () => {
    await ask('POST', '/mkdir', { path: 'plugins' });
    for (const name of ['c', 'a', 'b']) writeFileSync(join(served, 'plugins', name), name);

    const first = await ask('GET', '', { path: 'plugins', limit: '2' });
    const rest = await ask('GET', '', { path: 'plugins', after: first.body.next });
    const again = await ask('POST', '/mkdir', { path: 'plugins' });
    const rename = (from: string, to: string, overwrite = false) =>
      ask('POST', '/rename', {}, { body: JSON.stringify({ from, to, overwrite }) });
    const onto = await rename('plugins/a', 'plugins/b');
    const over = await rename('plugins/a', 'plugins/b', true);
    const full = await ask('DELETE', '', { path: 'plugins' });
    const root = await ask('DELETE', '', { path: '', recursive: 'true' });
    const gone = await ask('DELETE', '', { path: 'plugins', recursive: 'true' });

    expect(first.body.entries.map(({ name }: { name: string }) => name)).toEqual(['a', 'b']);
    expect(rest.body).toMatchObject({
      entries: [{ name: 'c', type: 'file', size: 1 }],
      next: null,
    });
    expect(again).toMatchObject({ status: 409, body: { error: 'exists' } });
    expect(onto).toMatchObject({ status: 409, body: { error: 'exists' } });
    expect(over.status).toBe(200);
    expect(full).toMatchObject({ status: 409, body: { error: 'not_empty' } });
    expect(root).toMatchObject({ status: 400, body: { error: 'path_refused' } });
    expect(gone.status).toBe(200);
    expect(await ask('GET', '/stat', { path: 'plugins' })).toMatchObject({ status: 404 });
  });

  test('are written only over what was read', async () => {
    const write = (content: string, headers = {}) =>
      ask('POST', '/write', { path: 'motd' }, { body: JSON.stringify({ content }), headers });

    const made = await write('one', { 'if-none-match': '*' });
    const twice = await write('one', { 'if-none-match': '*' });
    const changed = await write('two', { 'if-match': made.body.etag });
    const late = await write('three', { 'if-match': made.body.etag });

    expect([made, twice, changed, late].map(({ status }) => status)).toEqual([200, 412, 200, 412]);
    expect(readFileSync(join(served, 'motd'), 'utf8')).toBe('two');
    expect(waiting()).toEqual([]);
  });

  test('are sent whole, in parts, and with their checksum', async () => {
    const bytes = randomBytes(300_000);
    writeFileSync(join(served, 'world.zip'), bytes);
    const download = (headers: Record<string, string>) =>
      ask('GET', '/download', { path: 'world.zip' }, { headers });

    const whole = await download({ 'want-repr-digest': 'sha-256=1' });
    const etag = whole.headers.get('etag') ?? '';
    const part = await download({ range: 'bytes=100-199', 'if-range': etag });
    const end = await download({ range: 'bytes=-50' });
    const other = await download({ range: 'bytes=100-199', 'if-range': '"other"' });
    const beyond = await download({ range: 'bytes=300000-' });

    expect(whole.bytes.equals(bytes)).toBe(true);
    const digest = createHash('sha256').update(bytes).digest('base64');
    expect(whole.headers.get('repr-digest')).toBe(`sha-256=:${digest}:`);
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe('bytes 100-199/300000');
    expect(part.bytes.equals(bytes.subarray(100, 200))).toBe(true);
    expect(end.bytes.equals(bytes.subarray(-50))).toBe(true);
    expect(other.status).toBe(200);
    expect(beyond).toMatchObject({ status: 416, body: { size: 300_000 } });
  });
});

describe('an upload', () => {
  const bytes = randomBytes(500_000);
  const upload = (query: Record<string, string>, body: Buffer = bytes) =>
    ask('POST', '/upload', { path: 'up.bin', ...query }, { body });

  test('takes its place in one step, if it is what it should be', async () => {
    const wrong = await upload({ sha256: sha256(randomBytes(1)) });
    const found = await ask('GET', '/stat', { path: 'up.bin' });
    const right = await upload({ sha256: sha256(bytes) });

    expect(wrong).toMatchObject({ status: 422, body: { error: 'checksum_mismatch' } });
    expect(found.status).toBe(404);
    expect(right).toMatchObject({ status: 201, body: { name: 'up.bin', size: 500_000 } });
    expect(readFileSync(join(served, 'up.bin')).equals(bytes)).toBe(true);
    expect(waiting()).toEqual([]);
  });

  test('that is cut goes on where it ended, or leaves nothing if it has no name', async () => {
    world.setFaults({ files: { cutAfter: 200_000 } });
    await expect(upload({})).rejects.toThrow();
    await until(() => waiting().length === 0, { what: 'the part to be removed' });
    const part = { uploadId: 'upload-1', size: '500000' };
    await expect(upload(part)).rejects.toThrow();
    world.setFaults({});

    const { body } = await until(
      async () => {
        const state = await ask('GET', '/upload', { path: 'up.bin', uploadId: 'upload-1' });
        return state.status === 200 && state;
      },
      { what: 'the state of the upload' },
    );
    const elsewhere = await upload({ ...part, offset: '1' }, bytes.subarray(1));
    await world.restart();
    const rest = await upload(
      { ...part, offset: String(body.received), sha256: sha256(bytes) },
      bytes.subarray(body.received),
    );

    expect(readFired(world.root)).toContain('cutAfter /game/files/upload');
    expect(elsewhere).toMatchObject({ status: 409, body: { error: 'offset_mismatch', ...body } });
    expect(rest.status).toBe(201);
    expect(readFileSync(join(served, 'up.bin')).equals(bytes)).toBe(true);
    expect(waiting()).toEqual([]);
  });

  test('is refused before its body is read, and when the disk is full after all', async () => {
    const head = async (length: number) => {
      const socket = connect(18_888, world.agent.host);
      socket.write(
        `POST /game/files/upload?path=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
          `Content-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`,
      );
      return /^HTTP\/1.1 (\d+)/.exec(await text(socket))?.[1];
    };
    world.setFaults({ files: { fileMaxBytes: 1_000, diskFreeBytes: 500 } });

    const statuses = [await head(1_001), await head(501)];
    world.setFaults({ files: { diskFullAfter: 100_000 } });
    const full = await upload({});

    expect(statuses).toEqual(['413', '507']);
    expect(full).toMatchObject({ status: 507, body: { error: 'disk_full' } });
    expect(readFired(world.root)).toContain('diskFullAfter /game/files/upload');
    expect(waiting()).toEqual([]);
  });

  test('that nobody goes on with is swept away when the agent starts', async () => {
    mkdirSync(staging, { recursive: true });
    writeFileSync(join(staging, 'once-left'), '');

    await world.restart();

    await until(() => waiting().length === 0, { what: 'the sweep' });
  });
});

describe('no path leads out', () => {
  writeFileSync(join(world.root, 'secret'), 'secret');
  writeFileSync(join(served, 'inside'), 'inside');
  symlinkSync('../../secret', join(served, 'out'));
  symlinkSync('../..', join(served, 'folder-out'));
  symlinkSync('inside', join(served, 'link'));

  test.each([
    '../secret',
    '../../secret',
    'a/../../secret',
    '/etc/passwd',
    './inside',
    'a//b',
    '..\\secret',
    '%2e%2e/secret',
    '%252e%252e%252fsecret',
    'inside\0',
    'inside%00',
    'out',
    'folder-out/secret',
    'folder-out/srv/game/inside/../../../secret',
  ])('%j', async (path) => {
    const body = JSON.stringify({ content: 'x' });
    const answers = await Promise.all([
      ask('GET', '/stat', { path }),
      ask('GET', '/download', { path }),
      ask('POST', '/write', { path }, { body }),
      ask('POST', '/upload', { path }, { body: 'x' }),
    ]);

    expect(answers.map((one) => one.body.error)).toEqual(Array(4).fill('path_refused'));
    expect(readFileSync(join(world.root, 'secret'), 'utf8')).toBe('secret');
  });

  test('while a link inside is followed, and only the link itself removed', async () => {
    const { bytes } = await ask('GET', '/download', { path: 'link' });
    await ask('DELETE', '', { path: 'out' });
    await ask('DELETE', '', { path: 'folder-out', recursive: 'true' });

    expect(bytes.toString()).toBe('inside');
    expect(readdirSync(served)).not.toContain('out');
    expect(readFileSync(join(world.root, 'secret'), 'utf8')).toBe('secret');
  });
});
