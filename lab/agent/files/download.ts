import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

import { noteFired, readFaults } from '../faults.ts';
import { etagOf } from './entries.ts';
import type { OpenFile } from './places.ts';
import { FileRefusal } from './refusal.ts';

const CHUNK_BYTES = 256 * 1024;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** undefined: the whole, also for what is not understood, as for more than one range. */
export function readRange(range: string | undefined, size: number): Span | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  const span =
    from === ''
      ? { from: Math.max(0, size - Number(to)), to: size - 1 }
      : { from: Number(from), to: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  if (span.from < size && span.to >= span.from) return span;
  throw new FileRefusal('range_not_satisfiable', 'it is not that long', { size });
}

export async function sendFile(
  { handle }: OpenFile,
  request: IncomingMessage,
  response: ServerResponse,
  root: string,
): Promise<void> {
  const found = await handle.stat({ bigint: true });
  const [size, etag] = [Number(found.size), etagOf(found)];
  const { range, 'if-range': ifRange } = request.headers;
  const isSame = ifRange === undefined || ifRange === etag;
  const part = readRange(isSame ? range : undefined, size);
  const { from, to } = part ?? { from: 0, to: size - 1 };
  const wanted = request.headers['want-repr-digest'];
  const digest = wanted !== undefined && /sha-256/.test(String(wanted)) && (await hash(handle));
  response.writeHead(part ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': to - from + 1,
    'accept-ranges': 'bytes',
    etag,
    ...(part && { 'content-range': `bytes ${from}-${to}/${size}` }),
    ...(digest && { 'repr-digest': `sha-256=:${digest.toString('base64')}:` }),
  });
  const { cutAfter = Number.POSITIVE_INFINITY } = readFaults(root).files ?? {};
  const cut = () => {
    noteFired(root, 'cutAfter', '/game/files/download');
    throw new Error('cut');
  };
  await pipeline(async function* watched() {
    let sent = 0;
    for await (const chunk of chunksOf(handle, from, to)) {
      yield chunk.subarray(0, Math.max(0, cutAfter - sent));
      sent += chunk.length;
      if (sent > cutAfter) cut();
    }
    // What was promised and is not there any more must not look like the end of the file.
    if (sent < to - from + 1) throw new Error('the file has become shorter');
  }, response);
}

/** Not as a stream of the handle, which would keep it from being closed. */
async function* chunksOf(
  handle: OpenFile['handle'],
  from: number,
  to: number,
): AsyncGenerator<Buffer> {
  for (let at = from; at <= to; ) {
    const wanted = Math.min(CHUNK_BYTES, to - at + 1);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Of a whole file, through its descriptor. */
export async function hash(handle: OpenFile['handle']): Promise<Buffer> {
  const sum = createHash('sha256');
  const whole = chunksOf(handle, 0, Number.POSITIVE_INFINITY);
  for await (const chunk of whole) sum.update(chunk);
  return sum.digest();
}
