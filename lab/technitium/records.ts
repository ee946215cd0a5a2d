import { isIPv4 } from 'node:net';
import { z } from 'zod';

export const record = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number(),
  disabled: z.boolean(),
  comments: z.string(),
  rData: z.record(z.string(), z.union([z.string(), z.number()])),
});
export type ZoneRecord = z.output<typeof record>;

/** The text of the original's exception. */
export class Refusal extends Error {}

type Parameters = ReadonlyMap<string, string>;
type Identity = Pick<ZoneRecord, 'name' | 'type' | 'rData'>;

const DEFAULT_TTL_S = 3600;

export function need(parameters: Parameters, name: string): string {
  const value = parameters.get(name);
  if (!value) throw new Refusal(`Parameter '${name}' missing.`);
  return value;
}

function needNumber(parameters: Parameters, name: string, max: number): number {
  const text = need(parameters, name);
  if (!/^\d+$/.test(text) || Number(text) > max)
    throw new Refusal(`Parameter '${name}' has an invalid value.`);
  return Number(text);
}

/** A domain of the zone as it is stored: in lower case, without the dot of the root. */
export function domainIn(zone: string, parameters: Parameters): string {
  const name = need(parameters, 'domain').toLowerCase().replace(/\.$/, '');
  if (!`.${name}`.endsWith(`.${zone}`))
    throw new Refusal('The domain name does not belong to the zone.');
  return name;
}

/** What these parameters describe, for an add as for a delete. */
export function identityOf(parameters: Parameters, zone: string): Identity {
  const name = domainIn(zone, parameters);
  const type = need(parameters, 'type').toUpperCase();
  return { name, type, rData: rDataOf(type, parameters) };
}

function rDataOf(type: string, parameters: Parameters): ZoneRecord['rData'] {
  const number = (name: string) => needNumber(parameters, name, 65_535);
  if (type === 'A') {
    const ipAddress = need(parameters, 'ipAddress');
    if (!isIPv4(ipAddress)) throw new Refusal('An invalid IP address was specified.');
    return { ipAddress };
  }
  if (type === 'AAAA') return { ipAddress: need(parameters, 'ipAddress') };
  if (type === 'CNAME') return { cname: need(parameters, 'cname') };
  if (type === 'TXT') return { text: need(parameters, 'text') };
  if (type !== 'SRV') throw new Refusal(`Type not supported: ${type}`);
  return {
    ...{ priority: number('priority'), weight: number('weight'), port: number('port') },
    target: need(parameters, 'target').toLowerCase().replace(/\.$/, ''),
  };
}

export function isSame(one: Identity, other: Identity): boolean {
  if (one.name !== other.name || one.type !== other.type) return false;
  return Object.entries(one.rData).every(([key, value]) => other.rData[key] === value);
}

/** What an add creates in a zone that holds `others`. */
export function recordOf(
  parameters: Parameters,
  zone: string,
  others: readonly ZoneRecord[],
): ZoneRecord {
  const identity = identityOf(parameters, zone);
  const ttl = parameters.has('ttl') ? needNumber(parameters, 'ttl', 2 ** 31 - 1) : DEFAULT_TTL_S;
  const here = others.filter((other) => other.name === identity.name);
  if (here.some((other) => isSame(identity, other)))
    throw new Refusal('Cannot add record: record already exists.');
  const isAlias = identity.type === 'CNAME';
  if (here.some((other) => (other.type === 'CNAME') !== isAlias))
    throw new Refusal('Cannot add record: a CNAME record cannot exist with other record types.');
  return { ...identity, ttl, disabled: false, comments: parameters.get('comments') ?? '' };
}
