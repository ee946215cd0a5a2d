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
import {
  domainIn,
  identityOf,
  isSame,
  need,
  Refusal,
  record,
  recordOf,
  type ZoneRecord,
} from './records.ts';

/** A running stand-in for the record API of a Technitium DNS Server, with one primary zone. */
export interface Technitium extends StandIn {
  readonly token: string;
  readonly zone: string;
  records(): readonly ZoneRecord[];
  /** As somebody else would, in the console; takes the parameters of an add. */
  addByHand(parameters: Readonly<Record<string, string>>): ZoneRecord;
  /** Switches a record off, or on again: it stays in the zone, but is not answered. */
  setDisabled(name: string, disabled: boolean): void;
}

export interface TechnitiumOptions {
  /** The zone's records live here; started there again, they and the token are the same. */
  readonly dataDir: string;
  readonly zone?: string;
  readonly port?: number;
  readonly limit?: RateLimit;
}

const state = z.object({ token: z.string(), records: z.array(record) });

type Parameters = ReadonlyMap<string, string>;

export async function startTechnitium(options: TechnitiumOptions): Promise<Technitium> {
  const { zone = 'zpack.internal', port, limit } = options;
  const file = join(options.dataDir, 'technitium.json');
  const kept = readJson(file, state) ?? {
    token: randomBytes(32).toString('hex'),
    records: [nameServerOf(zone)],
  };
  const save = () => writeJson(file, kept);
  save();

  function add(parameters: Parameters): ZoneRecord {
    const added = recordOf(parameters, zone, kept.records);
    kept.records.push(added);
    save();
    return added;
  }

  function remove(parameters: Parameters): object {
    const identity = identityOf(parameters, zone);
    const index = kept.records.findIndex((one) => isSame(identity, one));
    if (index < 0) throw new Refusal('Cannot delete record: no such record exists.');
    kept.records.splice(index, 1);
    save();
    return {};
  }

  function list(parameters: Parameters): object {
    const name = domainIn(zone, parameters);
    const isWhole = parameters.get('listZone') === 'true';
    const records = kept.records.filter((one) => isWhole || one.name === name);
    return {
      zone: { name: zone, type: 'Primary', disabled: false },
      records: records.map(({ comments, ...rest }) => ({
        ...rest,
        dnssecStatus: 'Unknown',
        ...(comments === '' ? {} : { comments }),
      })),
    };
  }

  const verbs: Readonly<Record<string, (parameters: Parameters) => object>> = {
    '/api/zones/records/get': list,
    '/api/zones/records/add': (parameters) => ({ addedRecord: add(parameters) }),
    '/api/zones/records/delete': remove,
  };

  function answer({ path, query, body }: StandInRequest): StandInAnswer {
    const parameters = new Map([...query, ...new URLSearchParams(body)]);
    const verb = verbs[path];
    if (!verb) return { status: 404, body: {} };
    if (parameters.get('token') !== kept.token)
      return said('invalid-token', 'Invalid token or session expired.');
    try {
      const asked = need(parameters, 'zone');
      if (asked.toLowerCase() !== zone) throw new Refusal(`No such zone was found: ${asked}`);
      return { status: 200, body: { response: verb(parameters), status: 'ok' } };
    } catch (error) {
      if (error instanceof Refusal) return said('error', error.message);
      throw error;
    }
  }

  const standIn = await startStandIn({
    port,
    limit,
    answer,
    // Not Technitium itself, but a proxy in front of it.
    tooMany: (waitS) => ({ status: 429, body: {}, headers: { 'retry-after': String(waitS) } }),
  });
  return {
    ...standIn,
    token: kept.token,
    zone,
    records: () => kept.records,
    addByHand: (parameters) => add(new Map(Object.entries(parameters))),
    setDisabled(name, disabled) {
      kept.records = kept.records.map((one) => (one.name === name ? { ...one, disabled } : one));
      save();
    },
  };
}

/** Whatever went wrong, the status is 200. */
function said(status: 'error' | 'invalid-token', errorMessage: string): StandInAnswer {
  const trace = '   at DnsServerCore.WebServiceZonesApi';
  return { status: 200, body: { status, errorMessage, stackTrace: trace } };
}

/** Every zone has one, and it is never ours. */
function nameServerOf(zone: string): ZoneRecord {
  const rData = { nameServer: `ns.${zone}` };
  return { name: zone, type: 'NS', ttl: 3600, disabled: false, comments: '', rData };
}
