import { randomBytes } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

import { Refusal } from './refusal.ts';

export const record = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  content: z.string(),
  ttl: z.number(),
  comment: z.string().nullable(),
  proxied: z.boolean(),
  data: z.record(z.string(), z.unknown()).optional(),
});
export type ZoneRecord = z.output<typeof record>;

const service = z.object({
  priority: z.int().min(0).max(65_535),
  weight: z.int().min(0).max(65_535),
  port: z.int().min(0).max(65_535),
  target: z.string().min(1),
});
const order = z.object({
  name: z.string().min(1),
  type: z.enum(['A', 'AAAA', 'CNAME', 'SRV', 'TXT']),
  content: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
  ttl: z.number().default(1),
  // What a zone on the free plan allows.
  comment: z.string().max(100).nullable().default(null),
  proxied: z.boolean().default(false),
});

const ALIASES = ['A', 'AAAA', 'CNAME'];

/** What a POST with this body creates in a zone that holds `others`. */
export function recordOf(body: unknown, zone: string, others: readonly ZoneRecord[]): ZoneRecord {
  const parsed = order.safeParse(body);
  if (!parsed.success) throw new Refusal(400, 1004, 'DNS Validation Error');
  const { type, ttl, comment, proxied, data } = parsed.data;
  if (ttl !== 1 && (ttl < 60 || ttl > 86_400))
    throw new Refusal(400, 9021, 'Invalid TTL. Must be between 60 and 86400 seconds, or 1');
  const given = parsed.data.name.toLowerCase().replace(/\.$/, '');
  const name = `.${given}`.endsWith(`.${zone}`) ? given : `${given}.${zone}`;
  const content = contentOf(type, parsed.data.content, data);
  checkOthers({ name, type, content }, others);
  const id = randomBytes(16).toString('hex');
  const own = { id, name, type, content, ttl: proxied ? 1 : ttl, comment, proxied };
  return type === 'SRV' ? { ...own, data: data ?? {} } : own;
}

function contentOf(
  type: z.output<typeof order>['type'],
  content: string | undefined,
  data: unknown,
): string {
  if (type === 'SRV') {
    const parsed = service.safeParse(data);
    if (!parsed.success) throw new Refusal(400, 1004, 'DNS Validation Error');
    const { priority, weight, port, target } = parsed.data;
    return `${priority} ${weight} ${port} ${target}`;
  }
  if (type === 'A' && !isIPv4(content ?? ''))
    throw new Refusal(400, 9005, 'Content for A record must be a valid IPv4 address.');
  if (type === 'AAAA' && !isIPv6(content ?? ''))
    throw new Refusal(400, 9006, 'Content for AAAA record must be a valid IPv6 address.');
  return content ?? '';
}

function checkOthers(
  { name, type, content }: Pick<ZoneRecord, 'name' | 'type' | 'content'>,
  others: readonly ZoneRecord[],
): void {
  const here = others.filter((other) => other.name === name);
  // Whose it is and how long it lives makes no difference to Cloudflare.
  if (here.some((other) => other.type === type && other.content === content))
    throw new Refusal(400, 81058, 'An identical record already exists.');
  if (here.some((other) => other.type === 'CNAME'))
    throw new Refusal(400, 81054, 'A CNAME record with that host already exists.');
  if (type === 'CNAME' && here.some((other) => ALIASES.includes(other.type)))
    throw new Refusal(400, 81053, 'An A, AAAA, or CNAME record with that host already exists.');
}
