import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';

import { expect, test } from 'vitest';

import { createHttpApp, listen } from '../../src/http/server.ts';
import { readWebPage } from '../../src/http/web/page.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

const SCRIPT = 'console.log("a page");\n'.repeat(50);

async function servePage(isBuilt = true) {
  const stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-web-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  if (isBuilt) {
    await mkdir(join(folder, 'assets'));
    await writeFile(join(folder, 'index.html'), '<!doctype html><title>ZPack</title>');
    await writeFile(join(folder, 'assets/index-abc.js'), SCRIPT);
    await writeFile(join(folder, 'assets/index-abc.js.br'), brotliCompressSync(SCRIPT));
    await writeFile(join(folder, '.made-of'), 'sources');
  }
  const app = createHttpApp({
    endpoints: [],
    authenticate: async () => {
      throw new Error('nobody is asked who he is');
    },
    corsOrigins: [],
    problems: '',
    pages: [await readWebPage(folder)].filter((page) => page !== null),
    logger: createLogger('silent'),
  });
  const { url } = stack.use(await listen(app, { host: '127.0.0.1', port: 0 }));
  return { url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test('the page is asked for anew each time, its parts never again', async () => {
  await using service = await servePage();

  const page = await fetch(service.url);
  const known = { headers: { 'if-none-match': page.headers.get('etag') ?? '' } };
  const again = await fetch(service.url, known);
  const script = await fetch(`${service.url}/assets/index-abc.js`);

  expect(page.status).toBe(200);
  expect(page.headers.get('cache-control')).toBe('no-cache');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
  expect(again.status).toBe(304);
  expect(script.headers.get('cache-control')).toContain('immutable');
  expect(script.headers.get('content-type')).toContain('text/javascript');
  expect(await script.text()).toBe(SCRIPT);
});

test('whoever can unpack gets it packed, and whoever cannot does not', async () => {
  await using service = await servePage();
  const address = `${service.url}/assets/index-abc.js`;

  const plain = await fetch(address, { headers: { 'accept-encoding': 'identity' } });
  const packed = await fetch(address, { method: 'HEAD', headers: { 'accept-encoding': 'br' } });

  expect(await plain.text()).toBe(SCRIPT);
  expect(packed.headers.get('content-encoding')).toBe('br');
  expect(Number(packed.headers.get('content-length'))).toBeLessThan(SCRIPT.length / 10);
  expect(await packed.text()).toBe('');
  const page = await fetch(service.url, { headers: { 'accept-encoding': 'br' } });
  expect(page.headers.get('content-encoding')).toBeNull();
});

test('what is no part of the page stays a problem', async () => {
  await using service = await servePage();

  const answers = await Promise.all(
    [
      fetch(`${service.url}/api/nothing`),
      fetch(`${service.url}/servers/5000`),
      fetch(`${service.url}/.made-of`),
      fetch(`${service.url}/assets/index-abc.js.br`),
      fetch(`${service.url}/assets/..%2findex.html`),
      fetch(service.url, { method: 'POST' }),
    ].map((answer) => answer.then(({ status, headers }) => [status, headers.get('content-type')])),
  );

  for (const [status, type] of answers) {
    expect(status).toBe(404);
    expect(type).toContain('application/problem+json');
  }
});

test('without a built page there is none, and all else is as before', async () => {
  await using service = await servePage(false);

  const answer = await fetch(service.url);

  expect(answer.status).toBe(404);
  expect(await answer.json()).toMatchObject({ error: 'not_found' });
});
