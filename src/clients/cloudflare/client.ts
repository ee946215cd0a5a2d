/**
 * DNS records of one zone at Cloudflare, API v4:
 * https://developers.cloudflare.com/api/resources/dns/subresources/records/
 */
import { z } from 'zod';

import {
  canonicalName,
  type DnsClient,
  type FoundRecord,
  keepRecords,
  type RecordFilter,
  serviceContent,
  type WantedRecord,
} from '../dns-records.ts';
import { type Call, type CallOptions, createExchange, measure, parseJson } from '../exchange.ts';
import { answerFailure, cloudflareError, transportFailure } from './failure.ts';

/** A record takes about half a kilobyte; a page of a thousand fits with room to spare. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const PAGE_SIZE = 1000;
/** More pages than any zone has records for: who gets here is being led around in circles. */
const PAGES_MAX = 1000;

export interface CloudflareClientOptions {
  /** `https://api.cloudflare.com/client/v4` */
  readonly baseUrl: URL;
  /** An API token that may edit the DNS of the zone. */
  readonly token: string;
  readonly zoneId: string;
  /** The zone's name, `example.com`. */
  readonly zone: string;
  readonly timeoutMs: number;
  readonly pageSize?: number;
  /** A monotonic clock in ms. */
  readonly now?: () => number;
}

const envelope = z.object({
  // Its documentation shows the answer to a DELETE without it.
  success: z.literal(true).optional(),
  result: z.unknown().optional(),
  result_info: z
    .object({ page: z.number(), total_pages: z.number().optional() })
    .nullish()
    .catch(undefined),
});
type Envelope = z.output<typeof envelope>;

const place = z.object({
  priority: z.number(),
  weight: z.number(),
  port: z.number(),
  target: z.string(),
});
const record = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.string(),
    content: z.string().nullish(),
    data: z.unknown().optional(),
    ttl: z.number(),
    comment: z.string().nullish(),
    proxied: z.boolean().nullish(),
  })
  .transform(({ content, data, comment, proxied, ...rest }): FoundRecord => {
    const service = rest.type === 'SRV' ? place.safeParse(data).data : undefined;
    return {
      ...rest,
      content: service ? serviceContent(service) : (content ?? ''),
      comment: comment ?? null,
      isPlain: proxied !== true,
    };
  });

export function createCloudflareClient(options: CloudflareClientOptions): DnsClient {
  const { zone, pageSize = PAGE_SIZE, now = () => performance.now() } = options;
  const path = `/zones/${encodeURIComponent(options.zoneId)}/dns_records`;
  const exchange = createExchange({
    baseUrl: options.baseUrl,
    timeoutMs: options.timeoutMs,
    headers: { authorization: `Bearer ${options.token}` },
    answerBytesMax: ANSWER_BYTES_MAX,
    connectionsMax: 4,
  });

  async function ask(call: Call): Promise<Envelope> {
    const what = `${call.method} ${call.path}`;
    const answer = await exchange.send(call).catch((error: unknown) => {
      call.signal?.throwIfAborted();
      throw transportFailure(what, error);
    });
    const parsed = envelope.safeParse(parseJson(answer.text));
    if (answer.status >= 200 && answer.status <= 299 && parsed.success) return parsed.data;
    throw answerFailure(what, answer);
  }

  async function readPage(
    filter: RecordFilter,
    page: number,
    size: number,
    { signal }: CallOptions,
  ): Promise<{ records: FoundRecord[]; isLast: boolean }> {
    const query = {
      ...(filter.name === undefined ? {} : { 'name.exact': canonicalName(filter.name) }),
      ...(filter.type === undefined ? {} : { type: filter.type }),
      per_page: String(size),
      page: String(page),
    };
    const answer = await ask({ method: 'GET', path, query, isRead: true, signal });
    const parsed = z.array(record).safeParse(answer.result);
    const info = answer.result_info;
    // A server that answers another page than we asked for would be read for ever.
    if (!parsed.success || (info && info.page !== page))
      throw cloudflareError('answer_unreadable', `GET ${path}`);
    const isLast = parsed.data.length === 0 || page >= (info?.total_pages ?? Infinity);
    return { records: parsed.data, isLast };
  }

  async function list(filter: RecordFilter, call: CallOptions): Promise<FoundRecord[]> {
    const found = new Map<string, FoundRecord>();
    for (let page = 1; page <= PAGES_MAX; page += 1) {
      const { records, isLast } = await readPage(filter, page, pageSize, call);
      // By id, since a record that is created meanwhile moves others on to the next page.
      for (const one of records) found.set(one.id, one);
      if (isLast) return [...found.values()].filter((one) => matches(one, filter));
    }
    throw cloudflareError('answer_too_large', `GET ${path}`);
  }

  return {
    ...keepRecords({
      zone,
      list,
      foreign: ({ name }) => cloudflareError('record_foreign', name),
      create: (wanted, { signal }) =>
        ask({ method: 'POST', path, body: JSON.stringify(bodyOf(wanted)), isRead: false, signal }),
      remove({ id }, { signal }) {
        const which = `${path}/${encodeURIComponent(id)}`;
        return ask({ method: 'DELETE', path: which, isRead: false, signal });
      },
    }),
    listRecords: (filter = {}, call = {}) => list(filter, call),
    // The smallest page that Cloudflare allows.
    check: (call = {}) => measure(() => readPage({}, 1, 5, call), now),
    [Symbol.asyncDispose]: () => exchange[Symbol.asyncDispose](),
  };
}

const matches = (one: FoundRecord, { name, type }: RecordFilter): boolean =>
  (name === undefined || canonicalName(one.name) === canonicalName(name)) &&
  (type === undefined || one.type === type);

function bodyOf(wanted: WantedRecord): object {
  const { type, ttl, comment } = wanted;
  const own = { type, name: canonicalName(wanted.name), ttl, comment };
  // Proxied, only HTTP would get through.
  if (wanted.type === 'A') return { ...own, content: wanted.content, proxied: false };
  const { priority, weight, port, target } = wanted;
  return { ...own, data: { priority, weight, port, target: canonicalName(target) } };
}
