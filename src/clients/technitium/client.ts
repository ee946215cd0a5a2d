/**
 * DNS records of one zone on a Technitium DNS Server, by its HTTP API as described in
 * https://github.com/TechnitiumSoftware/DnsServer/blob/master/APIDOCS.md ("Add Record", "Get
 * Records", "Delete Record"). A record has no number there: it is what it says.
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
import { type CallOptions, createExchange, measure, parseJson } from '../exchange.ts';
import { answerFailure, technitiumError, transportFailure } from './failure.ts';

/** A zone comes in one piece: room for some fifty thousand records. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const RECORDS = '/api/zones/records';

export interface TechnitiumClientOptions {
  /** `http://dns.internal:5380` */
  readonly baseUrl: URL;
  /** Made with `createToken`, of a user that may modify and delete in the zone. */
  readonly token: string;
  /** The zone's name, `example.internal`. */
  readonly zone: string;
  readonly timeoutMs: number;
  /** PEM. Only certificates of this authority (or this very one) are accepted. */
  readonly ca?: string | undefined;
  /** A monotonic clock in ms. */
  readonly now?: () => number;
}

const envelope = z.object({ status: z.literal('ok'), response: z.unknown().optional() });

const address = z.object({ ipAddress: z.string() });
const place = z.object({
  priority: z.number(),
  weight: z.number(),
  port: z.number(),
  target: z.string(),
});
const record = z
  .object({
    name: z.string(),
    type: z.string(),
    ttl: z.number(),
    disabled: z.boolean().default(false),
    comments: z.string().nullish(),
    rData: z.unknown().optional(),
  })
  .transform(({ name, type, ttl, disabled, comments, rData }): FoundRecord => {
    const content = contentOf(type, rData);
    return {
      ...{ id: `${name} ${type} ${content}`, name, type, content, ttl },
      comment: comments || null,
      isPlain: !disabled,
    };
  });

function contentOf(type: string, rData: unknown): string {
  const service = type === 'SRV' ? place.safeParse(rData).data : undefined;
  if (service) return serviceContent(service);
  return address.safeParse(rData).data?.ipAddress ?? JSON.stringify(rData ?? null);
}

export function createTechnitiumClient(options: TechnitiumClientOptions): DnsClient {
  const { token, zone, now = () => performance.now() } = options;
  const exchange = createExchange({
    baseUrl: options.baseUrl,
    timeoutMs: options.timeoutMs,
    answerBytesMax: ANSWER_BYTES_MAX,
    connectionsMax: 4,
    ca: options.ca,
  });

  async function ask(
    verb: 'get' | 'add' | 'delete',
    parameters: Readonly<Record<string, string>>,
    { signal }: CallOptions,
  ): Promise<unknown> {
    const path = `${RECORDS}/${verb}`;
    // In the form, because a URL ends up in the logs of every proxy on the way.
    const body = new URLSearchParams({ ...parameters, token, zone });
    const answer = await exchange
      .send({ method: 'POST', path, body, isRead: verb === 'get', signal })
      .catch((error: unknown) => {
        signal?.throwIfAborted();
        throw transportFailure(path, error);
      });
    const parsed = envelope.safeParse(parseJson(answer.text));
    if (answer.status >= 200 && answer.status <= 299 && parsed.success) return parsed.data.response;
    throw answerFailure(path, answer);
  }

  async function list({ name, type }: RecordFilter, call: CallOptions): Promise<FoundRecord[]> {
    const domain = canonicalName(name ?? zone);
    const response = await ask('get', { domain, listZone: String(name === undefined) }, call);
    const parsed = z.object({ records: z.array(record) }).safeParse(response);
    if (!parsed.success) throw technitiumError('answer_unreadable', `${RECORDS}/get`);
    return parsed.data.records.filter(
      (one) =>
        (name === undefined || canonicalName(one.name) === domain) &&
        (type === undefined || one.type === type),
    );
  }

  return {
    ...keepRecords({
      zone,
      list,
      foreign: ({ name }) => technitiumError('record_foreign', name),
      create(wanted, call) {
        const { name, ttl, comment } = wanted;
        const parameters = { ...identityOf(wanted), ttl: String(ttl), comments: comment };
        return ask('add', { domain: canonicalName(name), ...parameters }, call);
      },
      remove({ name, type, content }, call) {
        const identity = type === 'SRV' ? placeOf(content) : { ipAddress: content };
        return ask('delete', { domain: canonicalName(name), type, ...identity }, call);
      },
    }),
    listRecords: (filter = {}, call = {}) => list(filter, call),
    check: (call = {}) => measure(() => ask('get', { domain: zone, listZone: 'false' }, call), now),
    [Symbol.asyncDispose]: () => exchange[Symbol.asyncDispose](),
  };
}

function identityOf(wanted: WantedRecord): Record<string, string> {
  const { type } = wanted;
  return type === 'A'
    ? { type, ipAddress: wanted.content }
    : { type, ...placeOf(serviceContent(wanted)) };
}

function placeOf(content: string): Record<string, string> {
  const [priority = '', weight = '', port = '', target = ''] = content.split(' ');
  return { priority, weight, port, target };
}
