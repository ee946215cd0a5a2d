import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

import type { Request, RequestHandler, Response } from 'express';

/** The ending of what `scripts/build-web.ts` has packed. */
const PACKED = '.br';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** The page loads what it was built with, asks this service, and nothing else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly cacheControl: string;
  readonly plain: Buffer;
  /** As it was packed when it was built, which takes longer than a start may. null: it was not. */
  readonly brotli: Buffer | null;
}

/**
 * The console page, from the folder that it was built into. It is a few small files: they are read
 * once and answered from memory.
 * @returns null if it has not been built
 */
export async function readWebPage(folder: string): Promise<RequestHandler | null> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries
    .filter((entry) => entry.isFile() && TYPES[extname(entry.name)] !== undefined)
    .map((entry) => join(entry.parentPath, entry.name));
  const assets = new Map<string, Asset>();
  for (const path of paths) {
    const address = relative(folder, path).replaceAll(sep, '/');
    assets.set(`/${address}`, toAsset(address, await readFile(path), await readPacked(path)));
  }
  const index = assets.get('/index.html');
  if (!index) return null;
  assets.set('/', index);
  return (request, response, next) => {
    const asset = assets.get(request.path);
    if (!asset || (request.method !== 'GET' && request.method !== 'HEAD')) next();
    else answer(asset, request, response);
  };
}

const readPacked = (path: string) => readFile(`${path}${PACKED}`).catch(() => null);

function toAsset(address: string, plain: Buffer, brotli: Buffer | null): Asset {
  return {
    type: TYPES[extname(address)] ?? '',
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    // Those have their hash in their name.
    cacheControl: address.startsWith('assets/')
      ? 'public, max-age=31536000, immutable'
      : 'no-cache',
    plain,
    brotli,
  };
}

function answer(
  { type, etag, cacheControl, plain, brotli }: Asset,
  request: Request,
  response: Response,
): void {
  response.set(HEADERS).set({ 'Content-Type': type, 'Cache-Control': cacheControl, ETag: etag });
  response.vary('Accept-Encoding');
  if (request.headers['if-none-match'] === etag) return void response.status(304).end();
  const packed = request.acceptsEncodings('br') === 'br' ? brotli : null;
  const body = packed ?? plain;
  if (packed) response.set('Content-Encoding', 'br');
  response.set('Content-Length', String(body.length));
  response.end(request.method === 'HEAD' ? undefined : body);
}
