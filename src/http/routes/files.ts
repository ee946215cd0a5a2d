import { z } from 'zod';

import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { readContent, tooLarge } from '../files/content.ts';
import { type FileDependencies, type FileMount, mountFiles } from '../files/mount.ts';
import { entryPath, folderPath } from '../files/path.ts';
import { contentView, doneView, entryView, pageView, statView } from '../files/views.ts';
import { transferEndpoints } from './file-transfers.ts';

const LIST_MAX = 1_000;
/** What JSON makes of a line's end, twice; and the rest of the body. */
const ESCAPED = 2;
const REST_BYTES = 8 * 1024;

/** The files of a game, by its agent: docs/files.md. One implementation at two addresses. */
export const fileEndpoints = (dependencies: FileDependencies): readonly AnyEndpoint[] =>
  mountFiles(dependencies).flatMap((mount) => [
    ...readEndpoints(mount, dependencies),
    writeEndpoint(mount, dependencies),
    ...nameEndpoints(mount, dependencies),
    ...transferEndpoints(mount, dependencies),
  ]);

function readEndpoints(
  { path, name, base, call }: FileMount,
  { files, limits }: FileDependencies,
): readonly AnyEndpoint[] {
  const read = { ...base, method: 'get', body: nothing } as const;
  return [
    endpoint({
      ...read,
      operationId: name('list', 'Files'),
      summary: 'A folder, by pages in the order of names',
      path,
      query: z.object({
        path: folderPath,
        after: z.string().max(255).default('').describe('`next` of the page before'),
        limit: z.coerce.number().int().min(1).max(LIST_MAX).default(200),
      }),
      replies: { 200: pageView },
      async handle(input) {
        const page = await call(input, 'look', ({ ip, signal }) =>
          files.list(ip, input.query, { signal }),
        );
        return { status: 200, body: { path: input.query.path, ...page } };
      },
    }),
    endpoint({
      ...read,
      operationId: name('stat', 'File'),
      summary: 'What a file or folder is, with its checksum if that is asked for',
      path: `${path}/stat`,
      query: z.object({ path: folderPath, checksum: z.literal('sha256').optional() }),
      replies: { 200: statView },
      async handle(input) {
        const found = await call(input, 'look', ({ ip, signal }) =>
          files.stat(ip, input.query, { signal }),
        );
        return { status: 200, body: { ...found, path: input.query.path } };
      },
    }),
    endpoint({
      ...read,
      operationId: name('read', 'File'),
      summary: 'A text file, to be edited: its ETag goes with what is written back',
      path: `${path}/content`,
      query: z.object({ path: entryPath }),
      replies: { 200: contentView },
      problems: [...base.problems, 'body_too_large'],
      async handle(input) {
        const file = { path: input.query.path, bytesMax: limits.editBytesMax };
        const content = await call(input, 'look', ({ ip, signal }) =>
          readContent(files, ip, file, signal),
        );
        const headers = { ETag: content.etag, 'Cache-Control': 'private, no-cache' };
        return { status: 200, headers, body: { path: file.path, ...content } };
      },
    }),
  ];
}

function writeEndpoint(
  { path, name, base, call }: FileMount,
  { files, limits: { editBytesMax } }: FileDependencies,
): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: name('write', 'File'),
    summary: 'Write a text file in one piece, if it is still what was read',
    method: 'put',
    path: `${path}/content`,
    query: z.object({ path: entryPath }),
    body: z.object({ content: z.string() }),
    bodyMax: editBytesMax * ESCAPED + REST_BYTES,
    reads: ['If-Match', 'If-None-Match'],
    replies: { 200: entryView },
    problems: [...base.problems, 'precondition_failed', 'body_too_large', 'disk_full'],
    async handle(input) {
      const { content } = input.body;
      if (Buffer.byteLength(content) > editBytesMax) throw tooLarge(editBytesMax);
      const file = {
        ...{ path: input.query.path, content },
        ...{ ifMatch: input.header('if-match'), ifNoneMatch: input.header('if-none-match') },
      };
      const entry = await call(input, 'change', ({ ip, signal }) =>
        files.write(ip, file, { signal }),
      );
      return { status: 200, headers: { ETag: entry.etag }, body: { ...entry, path: file.path } };
    },
  });
}

function nameEndpoints(
  { path, name, base, call }: FileMount,
  { files }: FileDependencies,
): readonly AnyEndpoint[] {
  const change = { ...base, replies: { 200: doneView } } as const;
  const done = { status: 200, body: { ok: true } } as const;
  return [
    endpoint({
      ...change,
      operationId: name('make', 'Folder'),
      summary: 'Make a folder',
      method: 'post',
      path: `${path}/mkdir`,
      query: nothing,
      body: z.object({ path: entryPath }),
      async handle(input) {
        await call(input, 'change', ({ ip, signal }) =>
          files.makeFolder(ip, input.body.path, { signal }),
        );
        return done;
      },
    }),
    endpoint({
      ...change,
      operationId: name('rename', 'File'),
      summary: 'Rename or move a file or folder, over what is there only if that is said',
      method: 'post',
      path: `${path}/rename`,
      query: nothing,
      body: z.object({ from: entryPath, to: entryPath, overwrite: z.boolean().default(false) }),
      async handle(input) {
        await call(input, 'change', ({ ip, signal }) => files.rename(ip, input.body, { signal }));
        return done;
      },
    }),
    endpoint({
      ...change,
      operationId: name('delete', 'File'),
      summary: 'Delete a file, or a folder: one that is not empty only if that is said',
      method: 'delete',
      path,
      query: z.object({ path: entryPath, recursive: z.stringbool().default(false) }),
      body: nothing,
      async handle(input) {
        await call(input, 'change', ({ ip, signal }) => files.remove(ip, input.query, { signal }));
        return done;
      },
    }),
  ];
}
