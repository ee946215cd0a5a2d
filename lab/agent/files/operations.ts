import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename } from 'node:path';
import { z } from 'zod';

import { makeFolder, removeEntry, renameEntry } from './changes.ts';
import { hash, sendFile } from './download.ts';
import { describe, type Entry, listFolder } from './entries.ts';
import { FileRefusal } from './refusal.ts';
import { type UploadOptions, type Uploads, writeWhole } from './uploads.ts';

const BODY_BYTES_MAX = 16 * 1024 * 1024;

const path = z.string();
const flag = z.stringbool().default(false);
const bytes = z.coerce.number().int().nonnegative();
const uploadId = z.string().regex(/^[\w-]{8,64}$/);
const sha256 = z.hex().length(64);
const QUERIES = {
  list: z.object({ path, after: z.string().default(''), limit: bytes.max(1_000).default(200) }),
  stat: z.object({ path, checksum: z.literal('sha256').optional() }),
  one: z.object({ path }),
  remove: z.object({ path, recursive: flag }),
  part: z.object({ path, uploadId }),
  upload: z.object({
    path,
    uploadId: uploadId.optional(),
    size: bytes.optional(),
    offset: bytes.default(0),
    sha256: sha256.optional(),
  }),
};
const BODIES = {
  write: z.object({ content: z.string() }),
  rename: z.object({ from: path, to: path, overwrite: z.boolean().default(false) }),
};

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: unknown;
}

/** null: it has answered by itself. */
type Operation = (exchange: Exchange) => Promise<Answer | null>;

/** By method and what comes behind the prefix. */
export function createOperations(
  options: UploadOptions,
  uploads: Uploads,
): Readonly<Record<string, Operation>> {
  const { root, places, inTurn } = options;
  async function entryOf(asked: string): Promise<Entry> {
    const found = await stat(await places.follow(asked), { bigint: true });
    return describe(basename(asked), found);
  }

  const change = async (act: () => Promise<void>): Promise<Answer> => {
    await inTurn(act);
    return { status: 200, body: { ok: true } };
  };

  return {
    async 'GET '({ query }) {
      const { path: asked, ...page } = read(QUERIES.list, query);
      return { status: 200, body: await listFolder(await places.follow(asked), page) };
    },
    async 'GET /stat'({ query }) {
      const { path: asked, checksum } = read(QUERIES.stat, query);
      const entry = await entryOf(asked);
      if (checksum === undefined) return { status: 200, body: entry };
      const { handle } = await places.openFile(asked);
      await using _ = handle;
      return { status: 200, body: { ...entry, sha256: (await hash(handle)).toString('hex') } };
    },
    async 'GET /download'({ request, response, query }) {
      const file = await places.openFile(read(QUERIES.one, query).path);
      await using _ = file.handle;
      await sendFile(file, request, response, root);
      return null;
    },
    async 'POST /write'({ request, response, query }) {
      const asked = read(QUERIES.one, query).path;
      const { content } = read(BODIES.write, await readBody(request, response));
      await writeWhole(options, {
        ...{ path: asked, content: Buffer.from(content), ...conditionsOf(request) },
      });
      return { status: 200, body: await entryOf(asked) };
    },
    'POST /mkdir': ({ query }) => change(() => makeFolder(places, read(QUERIES.one, query).path)),
    async 'POST /rename'({ request, response }) {
      const names = read(BODIES.rename, await readBody(request, response));
      return await change(() => renameEntry(places, names));
    },
    'DELETE ': ({ query }) => change(() => removeEntry(places, read(QUERIES.remove, query))),
    async 'GET /upload'({ query }) {
      const part = read(QUERIES.part, query);
      const received = await uploads.received(part.path, part.uploadId);
      return { status: 200, body: { received } };
    },
    async 'DELETE /upload'({ query }) {
      const part = read(QUERIES.part, query);
      await uploads.forget(part.path, part.uploadId);
      return { status: 200, body: { ok: true } };
    },
    async 'POST /upload'({ request, response, query }) {
      const order = { ...readUpload(request, query), ...conditionsOf(request) };
      const isWhole = await uploads.receive(order, request, () => goOn(request, response));
      if (isWhole) return { status: 201, body: await entryOf(order.path) };
      return { status: 202, body: { received: order.offset + order.length } };
    },
  };
}

function readUpload(request: IncomingMessage, query: unknown) {
  const asked = read(QUERIES.upload, query);
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (Number.isNaN(length)) throw new FileRefusal('length_required', 'say how long it is');
  const { uploadId: id, size = asked.offset + length, offset } = asked;
  const isWhole = offset === 0 && length === size;
  if (offset + length > size || (id === undefined && !isWhole)) {
    throw new FileRefusal('invalid_request', 'offset, length and size do not fit together');
  }
  return { ...asked, uploadId: id, sha256: asked.sha256, length, size };
}

const conditionsOf = ({ headers }: IncomingMessage) => ({
  ifMatch: headers['if-match'],
  ifNoneMatch: headers['if-none-match'],
});

function read<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new FileRefusal('invalid_request', z.prettifyError(parsed.error));
}

/** Whoever waits for it before he sends a body need wait no longer. */
function goOn(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.expect !== undefined) response.writeContinue();
}

async function readBody(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  goOn(request, response);
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of request) {
    received += chunk.length;
    if (received > BODY_BYTES_MAX) throw new FileRefusal('too_large', 'the body is too large');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new FileRefusal('invalid_request', 'the body is no JSON');
  }
}
