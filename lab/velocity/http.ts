import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

import type { Faults } from '../proxmox/faults.ts';
import type { Registered } from './registry.ts';

/** A request as it arrived, for tests that count what a client sent. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface Bridge {
  register(server: Registered): 'registered' | 'duplicate' | 'taken';
  /** False if there was none of this name. */
  unregister(name: string): boolean;
  list(): readonly Registered[];
}

interface Dependencies {
  readonly bridge: Bridge;
  readonly hash: string;
  /** An older bridge answers, but does not say what is registered. */
  readonly listsServers: boolean;
  readonly faults: Faults;
  readonly seen: (request: SeenRequest) => void;
  readonly closing: AbortSignal;
}

interface Answer {
  readonly status: number;
  readonly body?: object;
}

const BODY_BYTES_MAX = 64 * 1024;
const named = z.object({ server_name: z.string().min(1) });
const registration = named.extend({
  address: z.string().min(1),
  port: z.int().min(1).max(65_535),
});

export function createListener(dependencies: Dependencies) {
  const { hash, faults, seen, closing } = dependencies;

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET' } = request;
    const { pathname: path } = new URL(request.url ?? '/', 'http://localhost');
    const body = await readText(request);
    seen({ method, path, body });
    if (!isSecret(request.headers['x-zpack-secret'], hash)) return send(response, { status: 401 });
    const fault = faults.strike(method, path);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'drop_before') return void request.socket.destroy();
    if (fault?.kind === 'delay') await sleep(fault.ms, undefined, { signal: closing });
    if (fault?.kind === 'status') {
      return send(response, { status: fault.status, body: { error: fault.text } });
    }
    const answer = perform(dependencies, `${method} ${path}`, body);
    if (fault?.kind === 'drop_after') request.socket.destroy();
    else send(response, answer);
  };
}

function perform({ bridge, listsServers }: Dependencies, call: string, body: string): Answer {
  if (call === 'GET /zpack/status') {
    const servers = listsServers ? { servers: bridge.list() } : {};
    return { status: 200, body: { ok: true, ...servers } };
  }
  if (call === 'POST /zpack/register') return register(bridge, body);
  if (call === 'POST /zpack/unregister') return unregister(bridge, body);
  return { status: 404, body: { error: 'there is no such route' } };
}

function register(bridge: Bridge, body: string): Answer {
  const order = registration.safeParse(parse(body)).data;
  if (!order) return { status: 400, body: { error: 'a name, an address and a port are needed' } };
  const { server_name: name, address, port } = order;
  const outcome = bridge.register({ name, address, port });
  if (outcome === 'taken') {
    return { status: 409, body: { error: `${name} is registered at another address` } };
  }
  return { status: 200, body: { ok: true, duplicate: outcome === 'duplicate' } };
}

function unregister(bridge: Bridge, body: string): Answer {
  const order = named.safeParse(parse(body)).data;
  if (!order) return { status: 400, body: { error: 'a name is needed' } };
  if (bridge.unregister(order.server_name)) return { status: 200, body: { ok: true } };
  return { status: 404, body: { error: `${order.server_name} is not registered` } };
}

function isSecret(header: string | string[] | undefined, hash: string): boolean {
  const [given, wanted] = [Buffer.from(String(header)), Buffer.from(hash)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('no order is as long as that');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, { status, body }: Answer): void {
  if (!body) return void response.writeHead(status, { 'content-length': 0 }).end();
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
