import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';

import { readJson, writeJson } from '../proxmox/files.ts';
import {
  type RateLimit,
  type StandIn,
  type StandInAnswer,
  type StandInRequest,
  startStandIn,
} from '../stand-in.ts';
import { record, recordOf, type ZoneRecord } from './records.ts';
import { Refusal } from './refusal.ts';

/** A running stand-in for the DNS part of Cloudflare's API v4, with one zone. */
export interface Cloudflare extends StandIn {
  readonly token: string;
  readonly zoneId: string;
  readonly zone: string;
  records(): readonly ZoneRecord[];
  /** As somebody else would, in the dashboard; takes the body of a POST. */
  addByHand(body: unknown): ZoneRecord;
}

export interface CloudflareOptions {
  /** The zone's records live here; started there again, they and the token are the same. */
  readonly dataDir: string;
  readonly zone?: string;
  readonly port?: number;
  readonly limit?: RateLimit;
}

const state = z.object({ token: z.string(), zoneId: z.string(), records: z.array(record) });
type State = z.output<typeof state>;

const PREFIX = '/client/v4';
const PER_PAGE = { min: 5, max: 5_000_000, usual: 100 };

export async function startCloudflare(options: CloudflareOptions): Promise<Cloudflare> {
  const { zone = 'zpack.example', port, limit } = options;
  const file = join(options.dataDir, 'cloudflare.json');
  const kept: State = readJson(file, state) ?? {
    token: randomBytes(20).toString('hex'),
    zoneId: randomBytes(16).toString('hex'),
    records: [],
  };
  const save = () => writeJson(file, kept);
  save();

  function add(body: unknown): ZoneRecord {
    const created = recordOf(body, zone, kept.records);
    kept.records.push(created);
    save();
    return created;
  }

  function remove(id: string): { id: string } {
    const index = kept.records.findIndex((one) => one.id === id);
    if (index < 0) throw new Refusal(404, 81044, 'Record does not exist.');
    kept.records.splice(index, 1);
    save();
    return { id };
  }

  function perform({ method, path, query, body }: StandInRequest): StandInAnswer {
    const [, zoneId, id] = /^\/zones\/([^/]+)\/dns_records(?:\/([^/]+))?$/.exec(path) ?? [];
    if (zoneId !== kept.zoneId)
      throw new Refusal(
        404,
        7003,
        `Could not route to ${path}, perhaps your object identifier is invalid?`,
      );
    if (method === 'GET' && id === undefined) return list(kept.records, query);
    if (method === 'POST' && id === undefined) return success(add(parse(body)));
    if (method === 'DELETE' && id !== undefined) return success(remove(id));
    throw new Refusal(405, 7001, `Method ${method} not available for that URI.`);
  }

  const standIn = await startStandIn({
    port,
    limit,
    tooMany: (waitS) =>
      new Refusal(429, 10_100, 'Please wait and consider throttling your request speed', {
        'retry-after': String(waitS),
      }).answer(),
    answer(request) {
      try {
        checkToken(request.headers.authorization, kept.token);
        return perform({ ...request, path: request.path.replace(PREFIX, '') });
      } catch (error) {
        if (error instanceof Refusal) return error.answer();
        throw error;
      }
    },
  });
  return {
    ...standIn,
    url: new URL(`${standIn.url.origin}${PREFIX}`),
    token: kept.token,
    zoneId: kept.zoneId,
    zone,
    records: () => kept.records,
    addByHand: add,
  };
}

function checkToken(header: string | undefined, token: string): void {
  if (!/^Bearer \S+$/.test(header ?? '')) throw new Refusal(400, 6003, 'Invalid request headers');
  if (header !== `Bearer ${token}`) throw new Refusal(403, 9109, 'Invalid access token');
}

function list(records: readonly ZoneRecord[], query: URLSearchParams): StandInAnswer {
  const page = Number(query.get('page') ?? 1);
  const per_page = Number(query.get('per_page') ?? PER_PAGE.usual);
  if (!(page >= 1 && per_page >= PER_PAGE.min && per_page <= PER_PAGE.max))
    throw new Refusal(400, 1004, 'DNS Validation Error');
  const name = query.get('name.exact') ?? query.get('name');
  const type = query.get('type');
  const found = records.filter(
    (one) => (!name || one.name === name.toLowerCase()) && (!type || one.type === type),
  );
  // A page beyond the end is empty: a client that asks until there is no more must find an end.
  const result = found.slice((page - 1) * per_page, page * per_page);
  const total_pages = Math.ceil(found.length / per_page);
  const counts = { count: result.length, total_count: found.length, total_pages };
  return success(result, { page, per_page, ...counts });
}

function success(result: unknown, result_info?: object): StandInAnswer {
  const body = { result, success: true, errors: [], messages: [] };
  return { status: 200, body: result_info ? { ...body, result_info } : body };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Refusal(400, 9207, 'Request body is invalid.');
  }
}
