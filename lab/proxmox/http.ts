import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

import { type Cluster, checkNode } from './cluster.ts';
import type { Endpoint, Method } from './endpoint.ts';
import { ApiError, died } from './errors.ts';
import type { Fault, Faults } from './faults.ts';
import { checkParameters } from './parameters.ts';

/** A request as it arrived, for tests that count what a client sent. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly at: number;
}

interface Dependencies {
  readonly cluster: Cluster;
  readonly endpoints: readonly Endpoint[];
  readonly faults: Faults;
  readonly tokenSecret: string;
  readonly seen: (request: SeenRequest) => void;
}

type Answer = { readonly data: unknown; readonly [attribute: string]: unknown };

const PREFIX = '/api2/json';
const BODY_BYTES_MAX = 512 * 1024;
const body = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

export function createListener(dependencies: Dependencies) {
  const { cluster, faults, tokenSecret } = dependencies;
  const routes = dependencies.endpoints.map((endpoint) => ({
    endpoint,
    pattern: new RegExp(`^${endpoint.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
  }));
  const secret = `PVEAPIToken=${cluster.tokenId}=${tokenSecret}`;

  async function perform(
    request: IncomingMessage,
    url: URL,
    path: string,
    fault: Fault | undefined,
  ): Promise<Answer> {
    if (fault?.kind === 'status') throw new ApiError(fault.status, fault.text);
    const method = request.method ?? 'GET';
    for (const { endpoint, pattern } of routes) {
      const found = endpoint.method === method ? pattern.exec(path) : null;
      if (!found) continue;
      const inPath = Object.entries(found.groups ?? {});
      const named = new Map(inPath.map(([name, text]) => [name, decodeURIComponent(text)]));
      const given = await readGiven(request, url, endpoint.method, named);
      const parameters = checkParameters(endpoint.parameters, given);
      const node = named.get('node') ?? '';
      if (node) checkNode(cluster, node);
      const attributes: { total?: number } = {};
      const task = fault?.kind === 'task_fails' ? fault : undefined;
      const origin = { node, user: cluster.tokenId, fault: task };
      const data = await endpoint.handle({ cluster, parameters, origin, attributes });
      return { data, ...attributes };
    }
    throw new ApiError(501, `Method '${method} ${path}' not implemented`);
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    if (!url.pathname.startsWith(`${PREFIX}/`)) return refuse(response, 404, 'File not found');
    const path = url.pathname.slice(PREFIX.length);
    const method = request.method ?? 'GET';
    dependencies.seen({ method, path, query: url.search, at: Date.now() });
    const header = request.headers.authorization;
    if (header !== secret) {
      await sleep(cluster.delays.authFailureMs, undefined, { signal: cluster.closing });
      return refuse(response, 401, header ? 'Authentication failed!' : 'No ticket');
    }
    const fault = faults.strike(method, path);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'drop_before') return void request.socket.destroy();
    if (fault?.kind === 'delay') await sleep(fault.ms, undefined, { signal: cluster.closing });
    const outcome = await perform(request, url, path, fault).catch(toApiError);
    if (fault?.kind === 'drop_after') request.socket.destroy();
    else send(response, outcome);
  };
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return died(error instanceof Error ? error.message : String(error));
}

async function readGiven(
  request: IncomingMessage,
  url: URL,
  method: Method,
  named: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  const text = await readText(request);
  if (text && (method === 'GET' || method === 'DELETE')) {
    throw new ApiError(501, `Unexpected content for method '${method}'`);
  }
  const given = new Map(url.searchParams);
  if (request.headers['content-type']?.startsWith('application/json')) {
    for (const [name, value] of Object.entries(parseJson(text))) given.set(name, String(value));
  } else {
    for (const [name, value] of new URLSearchParams(text)) given.set(name, value);
  }
  for (const [name, value] of named) given.set(name, value);
  return given;
}

function parseJson(text: string): z.output<typeof body> {
  if (!text) return {};
  try {
    return body.parse(JSON.parse(text));
  } catch {
    throw new ApiError(400, 'unable to parse the JSON of the request');
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new ApiError(413, 'Request entity too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, outcome: Answer | ApiError): void {
  const failed = outcome instanceof ApiError;
  // The reason phrase is one line of Latin text; the body carries what does not fit.
  const reason = failed ? outcome.message.replace(/[^\t\x20-\x7e]+/g, ' ').trim() : 'OK';
  response.writeHead(failed ? outcome.status : 200, reason, {
    'content-type': 'application/json;charset=UTF-8',
    'cache-control': 'max-age=0',
    pragma: 'no-cache',
    server: 'pve-api-daemon/3.0',
  });
  response.end(JSON.stringify(failed ? errorBody(outcome) : outcome));
}

function errorBody({ message, errors }: ApiError): object {
  return { data: null, message: `${message}\n`, ...(errors ? { errors } : {}) };
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, reason, { 'content-length': 0 });
  response.end();
}
