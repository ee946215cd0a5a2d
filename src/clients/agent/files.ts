import type { Readable } from 'node:stream';
import { Agent } from 'undici';
import { z } from 'zod';

import { type Download, etag, readDownload } from './download.ts';
import { type Answer, agentError, askAgent, type Question } from './exchange.ts';
import { originOf, refusal } from './refusal.ts';
import { bytesOf, receiveFile, sendFile } from './transfer.ts';

const CONNECTIONS_PER_AGENT = 2;
const LIST_BYTES_MAX = 4 * 1024 * 1024;
const PATH = '/game/files';

const bytes = z.int().nonnegative();
const entry = z.object({
  name: z.string().max(255),
  type: z.enum(['file', 'folder', 'link', 'other']).catch('other'),
  size: bytes,
  modifiedAt: z.iso.datetime(),
  etag,
});
const page = z.object({ entries: z.array(entry), next: z.string().nullable() });
const state = z.object({ received: bytes });

export type FileEntry = z.output<typeof entry>;

export interface CallOptions {
  readonly signal: AbortSignal;
}

export interface FileConditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

export interface DownloadOrder {
  readonly path: string;
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly wantDigest?: boolean;
}

export interface UploadOrder extends FileConditions {
  readonly path: string;
  readonly length: number;
  readonly size?: number | undefined;
  readonly offset?: number | undefined;
  readonly uploadId?: string | undefined;
  readonly sha256?: string | undefined;
}

/**
 * The files of a game, by its agent: docs/files.md. All throw UpstreamError; what the agent
 * refuses has the reason `agent_refused` and its word in `details.agentError`.
 */
export interface AgentFiles extends AsyncDisposable {
  list(
    ip: string,
    query: { readonly path: string; readonly after: string; readonly limit: number },
    call: CallOptions,
  ): Promise<z.output<typeof page>>;
  stat(
    ip: string,
    query: { readonly path: string; readonly checksum?: 'sha256' | undefined },
    call: CallOptions,
  ): Promise<FileEntry & { readonly sha256?: string | undefined }>;
  write(
    ip: string,
    file: FileConditions & { readonly path: string; readonly content: string },
    call: CallOptions,
  ): Promise<FileEntry>;
  makeFolder(ip: string, path: string, call: CallOptions): Promise<void>;
  rename(
    ip: string,
    names: { readonly from: string; readonly to: string; readonly overwrite: boolean },
    call: CallOptions,
  ): Promise<void>;
  remove(
    ip: string,
    query: { readonly path: string; readonly recursive: boolean },
    call: CallOptions,
  ): Promise<void>;
  /** How much of an upload that was cut is there. */
  received(
    ip: string,
    upload: { readonly path: string; readonly uploadId: string },
    call: CallOptions,
  ): Promise<number>;
  forget(
    ip: string,
    upload: { readonly path: string; readonly uploadId: string },
    call: CallOptions,
  ): Promise<void>;
  /** The whole, if it is not longer than that. */
  read(
    ip: string,
    file: { readonly path: string; readonly bytesMax: number },
    call: CallOptions,
  ): Promise<{ readonly bytes: Buffer | null; readonly etag: string; readonly size: number }>;
  download(ip: string, order: DownloadOrder, call: CallOptions): Promise<Download>;
  /** `open` is called when the agent wants the body. A number: so much of it is there now. */
  upload(
    ip: string,
    order: UploadOrder,
    open: () => Readable,
    call: CallOptions,
  ): Promise<FileEntry | number>;
}

export interface AgentFilesOptions {
  readonly port: number;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  /** A checksum or a removal may take an agent a while. */
  readonly idleMs: number;
}

/** Metadata by undici, bodies by transfer.ts. */
export function createAgentFiles(options: AgentFilesOptions): AgentFiles {
  const dispatcher = new Agent({ connections: CONNECTIONS_PER_AGENT });
  return {
    ...createMetadata(options, dispatcher),
    ...createTransfers(options),
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}

const tokenHeaders = ({ token }: AgentFilesOptions): Readonly<Record<string, string>> =>
  token ? { authorization: `Bearer ${token}` } : {};

function createMetadata(options: AgentFilesOptions, dispatcher: Agent) {
  const { port, timeoutMs, idleMs } = options;
  const headers = tokenHeaders(options);

  async function ask(
    ip: string,
    question: Question,
    { signal }: CallOptions,
    longestMs = timeoutMs,
  ): Promise<Answer> {
    signal.throwIfAborted();
    const answer = await askAgent(question, {
      ...{ origin: originOf(ip, port), dispatcher, headers, signal },
      ...{ timeoutMs: longestMs, maxAnswerBytes: LIST_BYTES_MAX },
    });
    if (answer.ok) return answer;
    throw refusal(question, answer);
  }

  return {
    async list(ip, query, call) {
      const question = get('', query);
      return check(page, question, await ask(ip, question, call));
    },
    async stat(ip, query, call) {
      const question = get('/stat', query);
      const withSum = entry.extend({ sha256: z.hex().length(64).optional() });
      const longestMs = query.checksum ? idleMs : timeoutMs;
      return check(withSum, question, await ask(ip, question, call, longestMs));
    },
    async write(ip, { path, content, ...conditions }, call) {
      const question = {
        ...post('/write', { path }, { content }),
        headers: conditionHeaders(conditions),
      };
      return check(entry, question, await ask(ip, question, call));
    },
    async makeFolder(ip, path, call) {
      await ask(ip, post('/mkdir', { path }), call);
    },
    async rename(ip, names, call) {
      await ask(ip, post('/rename', {}, names), call);
    },
    async remove(ip, query, call) {
      await ask(ip, { method: 'DELETE', path: pathOf('', query) }, call, idleMs);
    },
    async received(ip, upload, call) {
      const question = get('/upload', upload);
      return check(state, question, await ask(ip, question, call)).received;
    },
    async forget(ip, upload, call) {
      await ask(ip, { method: 'DELETE', path: pathOf('/upload', upload) }, call);
    },
  } satisfies Partial<AgentFiles>;
}

function createTransfers(options: AgentFilesOptions) {
  const { port, idleMs } = options;
  const headers = tokenHeaders(options);

  const transferTo = (
    ip: string,
    path: string,
    more: Readonly<Record<string, string>>,
    { signal }: CallOptions,
  ) => ({ origin: originOf(ip, port), path, headers: { ...headers, ...more }, idleMs, signal });

  return {
    async read(ip, { path, bytesMax }, call) {
      const question = transferTo(ip, pathOf('/download', { path }), {}, call);
      const transfer = { ...question, method: 'GET' } as const;
      const { size, body, etag } = readDownload(transfer, await receiveFile(transfer));
      if (size <= bytesMax) return { bytes: await bytesOf(transfer, body, bytesMax), etag, size };
      body.destroy();
      return { bytes: null, etag, size };
    },
    async download(ip, { path, range, ifRange, wantDigest }, call) {
      const wanted = {
        ...(range !== undefined && { range }),
        ...(ifRange !== undefined && { 'if-range': ifRange }),
        ...(wantDigest && { 'want-repr-digest': 'sha-256=1' }),
      };
      const question = transferTo(ip, pathOf('/download', { path }), wanted, call);
      const transfer = { ...question, method: 'GET' } as const;
      return readDownload(transfer, await receiveFile(transfer));
    },
    async upload(ip, { length, ifMatch, ifNoneMatch, ...query }, open, call) {
      const conditions = conditionHeaders({ ifMatch, ifNoneMatch });
      const question = transferTo(ip, pathOf('/upload', query), conditions, call);
      const transfer = { ...question, method: 'POST' } as const;
      const answer = await sendFile(transfer, length, open);
      const said = { ...answer, ok: true };
      if (answer.status === 201) return check(entry, transfer, said);
      return check(state, transfer, said).received;
    },
  } satisfies Partial<AgentFiles>;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function pathOf(path: string, query: Query): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) given.set(name, String(value));
  }
  return `${PATH}${path}?${given}`;
}

const get = (path: string, query: Query): Question => ({
  method: 'GET',
  path: pathOf(path, query),
});

const post = (path: string, query: Query, body: unknown = {}): Question => ({
  method: 'POST',
  path: pathOf(path, query),
  body,
});

const conditionHeaders = ({ ifMatch, ifNoneMatch }: FileConditions) => ({
  ...(ifMatch !== undefined && { 'if-match': ifMatch }),
  ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
});

function check<T extends z.ZodType>(schema: T, question: Question, { body }: Answer): z.output<T> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw agentError('answer_unreadable', question, { cause: parsed.error });
}
