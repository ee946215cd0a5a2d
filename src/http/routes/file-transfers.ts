import { z } from 'zod';

import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { askForFiles } from '../files/agent-words.ts';
import { replyFile } from '../files/download.ts';
import type { FileDependencies, FileMount } from '../files/mount.ts';
import { entryPath } from '../files/path.ts';
import { readUploadOrder, sendUpload } from '../files/upload.ts';
import { bytesView, doneView, entryView, receivedView } from '../files/views.ts';

const uploadId = z
  .string()
  .regex(/^[\w-]{8,64}$/, 'expected 8 to 64 letters, digits, "_" and "-"')
  .describe('Of your choice: under it the upload can be gone on with, for a day');
const bytes = z.coerce.number().int().nonnegative();

/** Files that are too large to be held: they go through as they come. */
export function transferEndpoints(
  mount: FileMount,
  dependencies: FileDependencies,
): readonly AnyEndpoint[] {
  return [
    downloadEndpoint(mount, dependencies),
    uploadEndpoint(mount, dependencies),
    ...uploadStateEndpoints(mount, dependencies),
  ];
}

function downloadEndpoint(
  { path, name, base, reach }: FileMount,
  { files, transfers }: FileDependencies,
): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: name('download', 'File'),
    summary: 'A file as it is, or a part of it',
    method: 'get',
    path: `${path}/download`,
    query: z.object({ path: entryPath }),
    body: nothing,
    reads: ['Range', 'If-Range', 'Want-Repr-Digest'],
    contentType: 'application/octet-stream',
    replies: { 200: bytesView, 206: bytesView },
    problems: [...base.problems, 'range_not_satisfiable'],
    async handle(input) {
      const { ip, signal } = await reach(input, 'look');
      const slot = transfers.begin(input.params.id, 'download');
      const order = {
        path: input.query.path,
        range: input.header('range'),
        ifRange: input.header('if-range'),
        wantDigest: /sha-256/.test(input.header('want-repr-digest') ?? ''),
      };
      try {
        const found = await askForFiles(() => files.download(ip, order, { signal }));
        return replyFile(order.path, found, () => slot[Symbol.dispose]());
      } catch (error) {
        slot[Symbol.dispose]();
        throw error;
      }
    },
  });
}

function uploadEndpoint(
  { path, name, base, reach }: FileMount,
  { files, transfers, limits }: FileDependencies,
): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: name('upload', 'File'),
    summary: 'A file, or a part of one that is to be gone on with',
    method: 'post',
    path: `${path}/upload`,
    query: z.object({
      path: entryPath,
      uploadId: uploadId.optional(),
      size: bytes.optional().describe('Of the whole file, if this is a part of it'),
      offset: bytes.default(0).describe('Where this part begins'),
      sha256: z.hex().length(64).optional().describe('Of the whole file'),
    }),
    body: nothing,
    takesStream: true,
    reads: ['If-Match', 'If-None-Match', 'Expect'],
    replies: { 201: entryView, 202: receivedView },
    problems: [
      ...base.problems,
      'length_required',
      'precondition_failed',
      'body_too_large',
      'checksum_mismatch',
      'disk_full',
    ],
    async handle(input) {
      const { ip, signal } = await reach(input, 'change');
      const conditions = {
        ifMatch: input.header('if-match'),
        ifNoneMatch: input.header('if-none-match'),
      };
      const asked = { ...input.query, ...conditions };
      const order = readUploadOrder(asked, input.request, limits.uploadBytesMax);
      using _ = transfers.begin(input.params.id, 'upload');
      const sent = await sendUpload(files, ip, order, { request: input.request, signal });
      if (typeof sent === 'number') {
        return { status: 202, body: { path: order.path, received: sent } };
      }
      return { status: 201, headers: { ETag: sent.etag }, body: { ...sent, path: order.path } };
    },
  });
}

function uploadStateEndpoints(
  { path, name, base, call }: FileMount,
  { files }: FileDependencies,
): readonly AnyEndpoint[] {
  const state = {
    ...base,
    path: `${path}/upload`,
    query: z.object({ path: entryPath, uploadId }),
    body: nothing,
  } as const;
  return [
    endpoint({
      ...state,
      operationId: name('read', 'Upload'),
      summary: 'How much of an upload is there, so that it can go on',
      method: 'get',
      replies: { 200: receivedView },
      async handle(input) {
        const received = await call(input, 'look', ({ ip, signal }) =>
          files.received(ip, input.query, { signal }),
        );
        return { status: 200, body: { path: input.query.path, received } };
      },
    }),
    endpoint({
      ...state,
      operationId: name('forget', 'Upload'),
      summary: 'Throw away what is there of an upload',
      method: 'delete',
      replies: { 200: doneView },
      async handle(input) {
        await call(input, 'change', ({ ip, signal }) => files.forget(ip, input.query, { signal }));
        return { status: 200, body: { ok: true } };
      },
    }),
  ];
}
