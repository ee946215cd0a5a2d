import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import { afterAll, afterEach, describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { PREFIXES, sha256, startFilesWorld } from './files-world.ts';

const t = await startFilesWorld({ FILE_IDLE_TIMEOUT_MS: '2000', HOST_SWEEP_MS: '500' });
afterAll(() => t[Symbol.asyncDispose]());
afterEach(() => t.setFaults({}));
const { alice, bob, served } = t;

const answerOf = async (request: ClientRequest): Promise<IncomingMessage> =>
  (await once(request, 'response'))[0];

/** Random, and the same whenever the test is run again with it: it stands in the title. */
const CUTS = [1, ...Array.from({ length: 2 }, () => Math.floor(Math.random() * 900_000) + 1)];

describe.each(PREFIXES)('%s/:id/files', (prefix) => {
  const url = (path: string, query = {}, id?: number) => t.urlOf(prefix, path, query, id);
  const folder = prefix.split('/').at(2) ?? '';
  const at = (name: string) => `${folder}/${name}`;
  mkdirSync(join(served, folder), { recursive: true });
  const onDisk = (name: string) => readFileSync(join(served, folder, name));
  const put = (name: string, bytes: Buffer | string) =>
    writeFileSync(join(served, folder, name), bytes);

  test('are listed by pages, and told with their checksum', async () => {
    mkdirSync(join(served, folder, 'mods'));
    for (const name of ['a', 'b', 'c']) put(`mods/${name}`, name);

    const first = await alice.call('GET', url('', { path: at('mods'), limit: 2 }));
    const rest = await alice.call('GET', url('', { path: at('mods'), after: first.body.next }));
    const root = await alice.call('GET', url(''));
    const stat = await alice.call('GET', url('/stat', { path: at('mods/a'), checksum: 'sha256' }));
    const none = await alice.call('GET', url('/stat', { path: at('none') }));

    expect(first.body).toMatchObject({ entries: [{ name: 'a' }, { name: 'b' }], next: 'b' });
    expect(rest.body).toMatchObject({
      entries: [{ name: 'c', type: 'file', size: 1 }],
      next: null,
    });
    expect(root.body.entries).toContainEqual(expect.objectContaining({ name: folder }));
    expect(stat.body).toMatchObject({ size: 1, sha256: sha256(Buffer.from('a')) });
    expect(none).toMatchObject({ status: 404, body: { error: 'not_found' } });
  });

  test('are edited only as they were read', async () => {
    put('motd', 'one');
    const read = await alice.call('GET', url('/content', { path: at('motd') }));
    const write = (content: string, headers = {}) =>
      alice.call('PUT', url('/content', { path: at('motd') }), { body: { content }, headers });

    const first = await write('two\u00e9', { 'if-match': read.headers.get('etag') ?? '' });
    const late = await write('three', { 'if-match': read.body.etag });
    const anew = await write('three', { 'if-none-match': '*' });

    expect(read.body).toMatchObject({ content: 'one', size: 3 });
    expect(first).toMatchObject({ status: 200, body: { size: 5, path: at('motd') } });
    expect(late).toMatchObject({ status: 412, body: { error: 'precondition_failed' } });
    expect(anew.status).toBe(412);
    expect(onDisk('motd').toString()).toBe('two\u00e9');
  });

  test('that are no text, or too large, are not read for editing', async () => {
    put('binary', Buffer.from([0xff, 0xfe, 0x80]));
    put('large', Buffer.alloc(1024 * 1024 + 1, 'x'));
    const content = 'x'.repeat(1024 * 1024 + 1);

    const binary = await alice.call('GET', url('/content', { path: at('binary') }));
    const large = await alice.call('GET', url('/content', { path: at('large') }));
    const written = await alice.call('PUT', url('/content', { path: at('new') }), {
      body: { content },
    });

    expect(binary).toMatchObject({ status: 409, body: { reason: 'not_text' } });
    expect(large).toMatchObject({ status: 413, body: { error: 'body_too_large' } });
    expect(written.status).toBe(413);
    expect(readdirSync(join(served, folder))).not.toContain('new');
  });

  test('are made, renamed and deleted', async () => {
    const make = (path: string) => alice.call('POST', url('/mkdir'), { body: { path } });
    const rename = (from: string, to: string, overwrite?: boolean) =>
      alice.call('POST', url('/rename'), { body: { from: at(from), to: at(to), overwrite } });

    const made = [await make(at('new-folder')), await make(at('new-folder'))];
    put('new-folder/x', 'x');
    put('y', 'y');
    const moved = [
      await rename('new-folder/x', 'y'),
      await rename('new-folder/x', 'y', true),
      await rename('none', 'z'),
      await rename('new-folder', 'new-folder/inside'),
    ];
    put('new-folder/z', 'z');
    const path = at('new-folder');
    const full = await alice.call('DELETE', url('', { path }));
    const gone = await alice.call('DELETE', url('', { path, recursive: true }));

    expect(made.map(({ status }) => status)).toEqual([200, 409]);
    expect(moved.map(({ status }) => status)).toEqual([409, 200, 404, 409]);
    expect(onDisk('y').toString()).toBe('x');
    expect(full).toMatchObject({ status: 409, body: { reason: 'not_empty' } });
    expect(gone.status).toBe(200);
    expect(readdirSync(join(served, folder))).not.toContain('new-folder');
  });

  test('are downloaded whole, in parts, and as nothing that a browser runs', async () => {
    const bytes = randomBytes(1_000_000);
    put('wörld "1".html', bytes);
    const path = url('/download', { path: at('wörld "1".html') });

    const whole = await t.bytes(path, { 'want-repr-digest': 'sha-256=1' });
    const etag = whole.response.headers.get('etag') ?? '';
    const rest = await t.bytes(path, { range: 'bytes=999000-', 'if-range': etag });
    const other = await t.bytes(path, { range: 'bytes=0-9', 'if-range': '"other"' });
    const beyond = await alice.call('GET', path, { headers: { range: 'bytes=1000000-' } });
    const head = await fetch(t.app.url + path, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${alice.token}` },
    });

    expect(whole.bytes.equals(bytes)).toBe(true);
    expect(Object.fromEntries(whole.response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="w_rld _1_.html"; filename*=UTF-8''w%C3%B6rld%20%221%22.html`,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'repr-digest': `sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:`,
    });
    expect(rest.response.status).toBe(206);
    expect(rest.response.headers.get('content-range')).toBe('bytes 999000-999999/1000000');
    expect(rest.bytes.equals(bytes.subarray(999_000))).toBe(true);
    expect(other.response.status).toBe(200);
    expect(beyond).toMatchObject({ status: 416, body: { error: 'range_not_satisfiable' } });
    expect(beyond.headers.get('content-range')).toBe('bytes */1000000');
    expect(head.headers.get('content-length')).toBe('1000000');
    await t.isQuiet();
  });

  test('are uploaded, if they are what they should be', async () => {
    const bytes = randomBytes(1_000_000);
    const upload = (query: object, headers = {}) =>
      t.upload(url('/upload', { path: at('up'), ...query }), bytes, headers);

    const wrong = await upload({ sha256: sha256(Buffer.from('')) });
    const right = await upload({ sha256: sha256(bytes) }, { 'if-none-match': '*' });
    const again = await upload({}, { 'if-none-match': '*' });
    const empty = await t.upload(url('/upload', { path: at('empty') }), Buffer.alloc(0));

    expect(wrong).toMatchObject({ status: 422, body: { error: 'checksum_mismatch' } });
    expect(right).toMatchObject({ status: 201, body: { name: 'up', size: 1_000_000 } });
    expect(again.status).toBe(412);
    expect(empty).toMatchObject({ status: 201, body: { size: 0 } });
    expect(onDisk('up').equals(bytes)).toBe(true);
    await t.isQuiet();
  });

  test.each(CUTS)('go on after the agent was cut off, at byte %i', async (cut) => {
    const bytes = randomBytes(1_000_000);
    const query = { path: at(`cut-${cut}`), uploadId: `upload-${cut}`, size: 1_000_000 };
    t.setFaults({ files: { cutAfter: cut } });
    const first = await t.upload(url('/upload', query), bytes);
    const short = url('/download', { path: at('cut-down') });
    put('cut-down', bytes);
    const isBroken = await t.bytes(short).then(
      ({ response }) => response.status === 502,
      () => true,
    );
    t.setFaults({});

    const { received } = await until(
      async () => {
        const { status, body } = await alice.call('GET', url('/upload', query));
        return status === 200 && body;
      },
      { what: 'what there is' },
    );
    const rest = await t.upload(
      url('/upload', { ...query, offset: received, sha256: sha256(bytes) }),
      bytes.subarray(received),
    );

    expect(t.fired()).toContain('cutAfter /game/files/upload');
    expect(t.fired()).toContain('cutAfter /game/files/download');
    expect(first).toMatchObject({ status: 502, body: { error: 'upstream_failed' } });
    expect(isBroken).toBe(true);
    expect(rest.status).toBe(201);
    expect(onDisk(`cut-${cut}`).equals(bytes)).toBe(true);
    await t.isQuiet();
  });

  test.each(CUTS)('leave nothing when the client goes, after %i bytes', async (cut) => {
    const upload = t.open('POST', url('/upload', { path: at('left') }), {
      'content-length': 50_000_000,
    });
    upload.on('error', () => undefined);
    upload.write(randomBytes(cut));
    await until(() => t.waiting().length > 0, { what: 'the upload to begin' });
    put('long', Buffer.alloc(50_000_000));
    const download = t.open('GET', url('/download', { path: at('long') }), {});
    download.on('error', () => undefined).end();
    const answer = await answerOf(download);
    let read = 0;
    for await (const chunk of answer) {
      read += chunk.length;
      if (read >= cut) break;
    }

    upload.destroy();
    download.destroy();

    await t.isQuiet();
    expect(readdirSync(join(served, folder))).not.toContain('left');
  });

  test('in parts are refused where they do not fit, and forgotten when that is asked', async () => {
    const query = { path: at('parts'), uploadId: 'upload-parts', size: 10 };
    const part = (offset: number, bytes: string, more = {}) =>
      t.upload(url('/upload', { ...query, offset, ...more }), Buffer.from(bytes));

    const first = await part(0, '0123');
    const gap = await part(6, '6789');
    const long = await part(4, '456789+');
    const unnamed = await t.upload(url('/upload', { path: at('x'), size: 9 }), Buffer.from('1'));
    const forgotten = await alice.call('DELETE', url('/upload', query));
    const after = await alice.call('GET', url('/upload', query));

    expect(first).toMatchObject({ status: 202, body: { received: 4 } });
    expect(gap).toMatchObject({ status: 409, body: { reason: 'offset_mismatch', received: 4 } });
    expect([long.status, unnamed.status]).toEqual([400, 400]);
    expect([forgotten.status, after.status]).toEqual([200, 404]);
    await t.isQuiet();
  });

  test.each([
    ['its limit', { 'content-length': 20_000_000_000 }, {}, 413, 'body_too_large'],
    ['no length', { 'transfer-encoding': 'chunked' }, {}, 411, 'length_required'],
    ['a path outside', { 'content-length': 10 }, { path: '../x' }, 400, 'invalid_input'],
  ])('with %s are refused before a byte travels', async (_, headers, query, status, error) => {
    t.setFaults({ answers: { '/game/files/upload': 'drop' } });
    const before = t.fired().length;
    const target = url('/upload', { path: at('refused'), ...query });
    const request = t.open('POST', target, { ...headers, expect: '100-continue' });
    let wasAskedFor = false;
    request.on('continue', () => {
      wasAskedFor = true;
    });
    request.on('error', () => undefined).flushHeaders();

    const answer = await answerOf(request);

    const body = Buffer.concat(await answer.toArray()).toString();
    request.destroy();
    expect(answer.statusCode).toBe(status);
    expect(JSON.parse(body)).toMatchObject({ error });
    expect(wasAskedFor).toBe(false);
    expect(t.fired()).toHaveLength(before);
  });

  test.each([
    ['too large for the agent', { fileMaxBytes: 99 }, 413, 'body_too_large'],
    ['larger than the disk', { diskFreeBytes: 99 }, 507, 'disk_full'],
  ])('%s are refused before a byte travels', async (_, files, status, error) => {
    t.setFaults({ files });
    const headers = { 'content-length': 100, expect: '100-continue' };
    const request = t.open('POST', url('/upload', { path: at('refused') }), headers);
    let wasAskedFor = false;
    request.on('continue', () => {
      wasAskedFor = true;
    });
    request.flushHeaders();

    const answer = await answerOf(request);

    const body = Buffer.concat(await answer.toArray()).toString();
    request.on('error', () => undefined).destroy();
    expect([answer.statusCode, JSON.parse(body).error]).toEqual([status, error]);
    expect(wasAskedFor).toBe(false);
    await t.isQuiet();
  });

  test('are told that the disk is full while they are being sent', async () => {
    t.setFaults({ files: { diskFullAfter: 300_000 } });

    const answer = await t.upload(url('/upload', { path: at('full') }), randomBytes(1_000_000));

    expect(answer).toMatchObject({ status: 507, body: { error: 'disk_full' } });
    expect(t.fired()).toContain('diskFullAfter /game/files/upload');
    await t.isQuiet();
  });

  test('come only so many at a time from one container', async () => {
    const begin = () =>
      t
        .open('POST', url('/upload', { path: at('slow') }), { 'content-length': 100 })
        .on('error', () => undefined);
    const running = [begin(), begin(), begin(), begin()];
    for (const request of running) request.write('x');
    await until(() => t.waiting().length === 4, { what: 'four uploads' });

    const fifth = await t.upload(url('/upload', { path: at('slow') }), Buffer.from('x'));

    for (const request of running) request.destroy();
    expect(fifth).toMatchObject({ status: 429, body: { error: 'limit_exceeded' } });
    await t.isQuiet();
  });

  test.each([
    '../secret',
    'a/../../secret',
    '/etc/passwd',
    './x',
    'a//b',
    'a/',
    '..\\secret',
    '%2e%2e/secret',
    '%252E%252e%252fsecret',
    'x\0',
    'x%00',
    `${folder}/out`,
    `${folder}/out-folder/secret`,
  ])('never lead out, as by %j', async (path) => {
    writeFileSync(join(t.rootfs, 'secret'), 'secret');
    const link = (target: string, name: string) => {
      if (!readdirSync(join(served, folder)).includes(name)) {
        symlinkSync(target, join(served, folder, name));
      }
    };
    link('../../../secret', 'out');
    link('../../..', 'out-folder');

    const answers = await Promise.all([
      alice.call('GET', url('/stat', { path })),
      alice.call('GET', url('/content', { path })),
      alice.call('GET', url('/download', { path })),
      alice.call('PUT', url('/content', { path }), { body: { content: 'x' } }),
      t.upload(url('/upload', { path }), Buffer.from('x')),
      alice.call('GET', url('', { path })),
    ]);

    expect(answers.map(({ status, body }) => [status, body.error])).toEqual(
      Array(answers.length).fill([400, 'invalid_input']),
    );
    expect(readFileSync(join(t.rootfs, 'secret'), 'utf8')).toBe('secret');
  });

  test.each([
    ['GET', ''],
    ['GET', '/stat'],
    ['GET', '/content'],
    ['GET', '/download'],
    ['POST', '/upload'],
    ['DELETE', ''],
  ])('%s %s of somebody else answer like those of nobody', async (method, path) => {
    const theirs = await bob.call(method, url(path, { path: at('motd') }));
    const nobodys = await bob.call(method, url(path, { path: at('motd') }, 5_999));
    const anonymous = await t.app.anonymous.call(method, url(path, { path: at('motd') }));

    expect(theirs).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect(nobodys).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect(anonymous.status).toBe(401);
  });
});

test('end where nothing moves any more', async () => {
  t.setFaults({ answers: { '/game/files/download': 'hang' } });
  const hanging = alice.call('GET', t.urlOf(PREFIXES[0], '/download', { path: 'x' }));
  const upload = t.open('POST', t.urlOf(PREFIXES[0], '/upload', { path: 'stalled' }), {
    'content-length': 10,
  });
  upload.on('error', () => undefined).write('x');

  const stalled = await answerOf(upload);

  expect(await hanging).toMatchObject({ status: 502, body: { error: 'upstream_failed' } });
  expect(stalled.statusCode).toBe(502);
  expect(t.fired()).toContain('hang /game/files/download');
  await t.isQuiet();
});

test.each([
  ['POST', '/upload', 'text', 201],
  ['PUT', '/content', JSON.stringify({ content: 'text' }), 200],
])('are asked for when nothing speaks against it: %s %s', async (method, path, body, status) => {
  const url = t.urlOf(PREFIXES[0], path, { path: 'expected' });
  const request = t.open(method, url, {
    ...{ 'content-length': body.length, 'content-type': 'application/json' },
    expect: '100-continue',
  });
  request.on('continue', () => request.end(body)).flushHeaders();

  const answer = await answerOf(request);

  answer.resume();
  expect(answer.statusCode).toBe(status);
  expect(readFileSync(join(served, 'expected'), 'utf8')).toBe('text');
});

test('cannot be reached while the container is off', async () => {
  const vmid = await t.create();
  await t.power(alice, vmid, 'stop');

  const answers = await Promise.all(
    PREFIXES.map((prefix) => alice.call('GET', t.urlOf(prefix, '/stat', { path: 'x' }, vmid))),
  );

  for (const { status, body } of answers) {
    expect([status, body.error]).toEqual([409, 'host_not_running']);
  }
});

test('may be asked for by browsers of the Portal, with all that belongs to them', async () => {
  const origin = 'http://localhost:3000';
  const preflight = await t.app.anonymous.call('OPTIONS', t.urlOf(PREFIXES[0], '/download'), {
    headers: { origin, 'access-control-request-method': 'GET' },
  });
  const answer = await alice.call('GET', t.urlOf(PREFIXES[0], '/stat'), { headers: { origin } });

  expect(preflight.headers.get('access-control-allow-headers')).toMatch(/If-Match.*Range/);
  expect(answer.headers.get('access-control-expose-headers')).toMatch(/Content-Range.*ETag/);
});

test('leave nothing in a container whose agent is killed in the middle of them', async () => {
  const large = join(served, 'large-to-read');
  writeFileSync(large, randomBytes(8_000_000));
  const upload = t.open('POST', t.urlOf(PREFIXES[0], '/upload', { path: 'killed' }), {
    'content-length': 4_000_000,
  });
  const [uploaded, downloaded] = [
    once(upload, 'response').catch((error: unknown) => error),
    once(
      t.open('GET', t.urlOf(PREFIXES[0], '/download', { path: 'large-to-read' }), {}).end(),
      'response',
    ),
  ];
  upload.on('error', () => undefined).write(randomBytes(1_000_000));
  const [download] = (await downloaded) as [IncomingMessage];
  const ended = finished(download.resume()).catch((error: unknown) => error);
  await until(() => t.waiting().length === 1, { what: 'the upload to have begun' });

  await t.app.proxmox.powerOff(t.vmid);
  await ended;

  const outcome = await uploaded;
  const status = Array.isArray(outcome) ? (outcome[0] as IncomingMessage).statusCode : 'broken';
  expect([502, 503, 504, 'broken']).toContain(status);
  expect(download.complete).toBe(false);
  expect(existsSync(join(served, 'killed'))).toBe(false);
  expect(t.waiting()).toHaveLength(1);
  await until(async () => (await t.hostStatus(t.vmid)).hostStatus === 'stopped', {
    ...{ what: 'the container to be seen off', timeoutMs: 10_000 },
  });
  expect((await t.power(alice, t.vmid, 'start')).body).toMatchObject({ ok: true });
  await t.isQuiet();
});
