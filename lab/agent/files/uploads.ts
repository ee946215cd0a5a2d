import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';

import { noteFired, readFaults } from '../faults.ts';
import { hash } from './download.ts';
import { type Conditions, requireConditions, syncFolder } from './entries.ts';
import type { Places } from './places.ts';
import { FileRefusal } from './refusal.ts';

const KEPT_MS = 24 * 3_600_000;
const BATCH_BYTES = 512 * 1024;
const ONCE = 'once-';
const KEPT = 'kept-';

export interface UploadOrder extends Conditions {
  readonly path: string;
  /** Under which it can be gone on with; one that has none is gone when its connection is. */
  readonly uploadId: string | undefined;
  readonly offset: number;
  /** Of the whole file. */
  readonly size: number;
  /** Of this request. */
  readonly length: number;
  /** Of the whole file, as hex. */
  readonly sha256: string | undefined;
}

export interface Uploads {
  /** Asks for the body only when nothing speaks against it. True: the file is whole and in place. */
  receive(order: UploadOrder, request: IncomingMessage, begin: () => void): Promise<boolean>;
  received(path: string, uploadId: string): Promise<number>;
  forget(path: string, uploadId: string): Promise<void>;
  /** Removes what nobody can go on with any more. */
  sweep(olderThanMs?: number): Promise<void>;
}

export interface UploadOptions {
  readonly root: string;
  readonly places: Places;
  /** Beside the served folder: on its disk, and out of sight. */
  readonly staging: string;
  readonly inTurn: <T>(act: () => Promise<T>) => Promise<T>;
}

export function createUploads({ root, places, staging, inTurn }: UploadOptions): Uploads {
  const inUse = new Set<string>();
  const partOf = (path: string, uploadId: string) =>
    join(staging, KEPT + createHash('sha256').update(`${uploadId}\n${path}`).digest('hex'));

  async function requireRoom({ size, length }: UploadOrder): Promise<void> {
    const { fileMaxBytes = Number.POSITIVE_INFINITY, diskFreeBytes } = readFaults(root).files ?? {};
    if (size > fileMaxBytes) throw new FileRefusal('too_large', 'the file is too large');
    const { bavail, bsize } = await statfs(staging);
    if (length > (diskFreeBytes ?? bavail * bsize)) {
      throw new FileRefusal('disk_full', 'there is not so much left on the disk');
    }
  }

  async function write(order: UploadOrder, part: string, body: Body): Promise<boolean> {
    const isKept = order.uploadId !== undefined;
    const handle = await openPart(part, order.offset);
    let isKeptNow = isKept;
    try {
      const sum = await append(handle, order, body);
      if (order.offset + order.length < order.size) return false;
      isKeptNow = false;
      await requireSum(handle, order, sum);
      await handle.sync();
      await inTurn(async () => {
        const place = await places.follow(order.path);
        await requireConditions(place, order);
        await keepMode(handle, place);
        await rename(part, place);
        await syncFolder(dirname(place));
      });
      return true;
    } finally {
      await handle.close();
      if (!isKeptNow) await rm(part, { force: true });
    }
  }

  return {
    async receive(order, request, begin) {
      await mkdir(staging, { recursive: true });
      const place = await places.follow(order.path);
      await stat(dirname(place));
      await requireConditions(place, order);
      await requireRoom(order);
      const { uploadId, path } = order;
      const part =
        uploadId === undefined
          ? join(staging, ONCE + randomBytes(12).toString('hex'))
          : partOf(path, uploadId);
      if (inUse.has(part)) throw new FileRefusal('upload_in_progress', 'it is being uploaded');
      inUse.add(part);
      try {
        return await write(order, part, { root, request, begin });
      } finally {
        inUse.delete(part);
      }
    },
    async received(path, uploadId) {
      await places.locate(path);
      const found = await stat(partOf(path, uploadId)).catch(() => null);
      if (found) return found.size;
      throw new FileRefusal('no_such_upload', 'there is no such upload');
    },
    async forget(path, uploadId) {
      const part = partOf(path, uploadId);
      if (inUse.has(part)) throw new FileRefusal('upload_in_progress', 'it is being uploaded');
      await rm(part, { force: true });
    },
    async sweep(olderThanMs = KEPT_MS) {
      for (const name of await readdir(staging).catch(() => [])) {
        const part = join(staging, name);
        if (inUse.has(part)) continue;
        const found = await stat(part).catch(() => null);
        const isOver = name.startsWith(ONCE) || Date.now() - (found?.mtimeMs ?? 0) > olderThanMs;
        if (isOver) await rm(part, { force: true });
      }
    },
  };
}

interface Body {
  readonly root: string;
  readonly request: IncomingMessage;
  readonly begin: () => void;
}

async function openPart(part: string, offset: number): Promise<FileHandle> {
  if (offset === 0) return await open(part, 'w+', 0o600);
  const handle = await open(part, 'r+').catch(() => {
    throw new FileRefusal('offset_mismatch', 'nothing is there to go on with', { received: 0 });
  });
  const { size: received } = await handle.stat();
  if (received === offset) return handle;
  await handle.close();
  throw new FileRefusal('offset_mismatch', 'it ends elsewhere', { received });
}

/** What has come before a cut is written, so that it can be gone on with. */
async function append(handle: FileHandle, order: UploadOrder, body: Body) {
  const { root, request, begin } = body;
  const { offset, length, sha256 } = order;
  const sum = sha256 !== undefined && offset === 0 ? createHash('sha256') : null;
  const { cutAfter = length, diskFullAfter = length } = readFaults(root).files ?? {};
  begin();
  if (length === 0) return sum;
  const written = createAppending(handle, offset);
  let received = 0;
  try {
    // A full disk is answered: what fails here must not end the connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      sum?.update(chunk);
      received += chunk.length;
      await written.add(chunk);
      if (received > diskFullAfter) {
        noteFired(root, 'diskFullAfter', '/game/files/upload');
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      }
      if (received > cutAfter) {
        noteFired(root, 'cutAfter', '/game/files/upload');
        request.socket.destroy();
      }
    }
  } finally {
    await written.end();
  }
  if (received < length) throw new Error('the body ends before its end');
  return sum;
}

/** Writes much at once, while more is coming. */
function createAppending(handle: FileHandle, offset: number) {
  let [at, bytes] = [offset, 0];
  let batch: Buffer[] = [];
  let writing: Promise<void> = Promise.resolve();

  async function write(chunks: readonly Buffer[], position: number, length: number) {
    const { bytesWritten } = await handle.writev(chunks, position);
    if (bytesWritten === length) return;
    throw Object.assign(new Error('not all was written'), { code: 'ENOSPC' });
  }

  async function flush(): Promise<void> {
    const [chunks, position, length] = [batch, at, bytes];
    [batch, at, bytes] = [[], at + bytes, 0];
    await writing;
    writing = length > 0 ? write(chunks, position, length) : writing;
    // Whoever waits for it next is told; nobody may be waiting yet.
    writing.catch(() => undefined);
  }

  return {
    async add(chunk: Buffer): Promise<void> {
      batch.push(chunk);
      bytes += chunk.length;
      if (bytes >= BATCH_BYTES) await flush();
    },
    async end(): Promise<void> {
      await flush();
      await writing;
    },
  };
}

async function requireSum(
  handle: FileHandle,
  { sha256 }: UploadOrder,
  sum: ReturnType<typeof createHash> | null,
): Promise<void> {
  if (sha256 === undefined) return;
  const found = (sum ? sum.digest() : await hash(handle)).toString('hex');
  if (found === sha256.toLowerCase()) return;
  throw new FileRefusal('checksum_mismatch', 'what has come is something else', { sha256: found });
}

/** What replaces a file may be read and run by whoever might that one. */
async function keepMode(handle: FileHandle, place: string): Promise<void> {
  const found = await stat(place).catch(() => null);
  await handle.chmod(found ? found.mode & 0o777 : 0o644);
}

/** A small file in one piece, by way of the same staging folder. */
export async function writeWhole(
  { places, staging, inTurn }: Omit<UploadOptions, 'root'>,
  { path, content, ...conditions }: Conditions & { path: string; content: Buffer },
): Promise<void> {
  await mkdir(staging, { recursive: true });
  await inTurn(async () => {
    const place = await places.follow(path);
    await requireConditions(place, conditions);
    const part = join(staging, ONCE + randomBytes(12).toString('hex'));
    const handle = await open(part, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await keepMode(handle, place);
      await handle.sync();
      await rename(part, place);
      await syncFolder(dirname(place));
    } finally {
      await handle.close();
      await rm(part, { force: true });
    }
  });
}
