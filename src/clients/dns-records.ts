/**
 * What a DNS server is to us, whoever makes it, and the rule by which we share its zone with
 * others: a record is ours if it carries our comment, and nothing else is ever touched. Every
 * change looks at the zone first, so that work whose answer was lost is found done.
 */
import { InvalidInputError, UpstreamError } from '../errors.ts';
import type { CallOptions, Reachability } from './exchange.ts';

interface Marked {
  /** Complete, with the zone: `mc-1.example.com`. */
  readonly name: string;
  /** Our marker: says that the record is ours, and for which container. Compared exactly. */
  readonly comment: string;
}

interface Address extends Marked {
  readonly type: 'A';
  /** IPv4. */
  readonly content: string;
  readonly ttl: number;
}

interface ServicePlace extends Marked {
  readonly type: 'SRV';
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
  readonly ttl: number;
}

export type WantedRecord = Address | ServicePlace;

export interface FoundRecord {
  /** As the server knows it; means nothing elsewhere. */
  readonly id: string;
  readonly name: string;
  /** Any type: also those that we never write. */
  readonly type: string;
  /** An `A`: the address. An `SRV`: "priority weight port target". Others as the server says. */
  readonly content: string;
  readonly ttl: number;
  readonly comment: string | null;
  /** false: it is there, but is not answered as it stands (switched off, or proxied). */
  readonly isPlain: boolean;
}

export interface RecordFilter {
  readonly name?: string | undefined;
  readonly type?: string | undefined;
}

/** All throw UpstreamError with a reason of the client's failure.ts. */
export interface DnsClient extends AsyncDisposable {
  /**
   * Afterwards there is exactly this record of ours under its name and type. Twice is once.
   * @throws UpstreamError `record_foreign` if somebody else holds the name.
   */
  ensureRecord(
    wanted: WantedRecord,
    options?: CallOptions,
  ): Promise<'unchanged' | 'created' | 'replaced'>;
  /** How many were removed: all under that name and type with that comment. Twice is once. */
  removeRecords(
    which: Marked & { readonly type: WantedRecord['type'] },
    options?: CallOptions,
  ): Promise<number>;
  /** All of them, ours or not, however many pages that takes. */
  listRecords(filter?: RecordFilter, options?: CallOptions): Promise<FoundRecord[]>;
  /** Is it there, and does it know us and the zone? Asks something cheap; does not throw. */
  check(options?: CallOptions): Promise<Reachability>;
}

/** What a server can do; the rules are ours. */
export interface RecordAccess {
  /** Names outside it are refused before anything is asked. */
  readonly zone: string;
  list(filter: RecordFilter, options: CallOptions): Promise<FoundRecord[]>;
  /** @throws UpstreamError `record_exists` if there is one that says the same, whoever's it is. */
  create(wanted: WantedRecord, options: CallOptions): Promise<unknown>;
  /** @throws UpstreamError `record_missing` if it is gone. */
  remove(found: FoundRecord, options: CallOptions): Promise<unknown>;
  /** The error that says that somebody else holds the name. */
  foreign(wanted: WantedRecord): Error;
}

/** Names and targets are the same in any case, with and without the dot of the root. */
export const canonicalName = (name: string): string => name.toLowerCase().replace(/\.$/, '');

export const serviceContent = (
  place: Pick<ServicePlace, 'priority' | 'weight' | 'port' | 'target'>,
): string => `${place.priority} ${place.weight} ${place.port} ${canonicalName(place.target)}`;

export function keepRecords(
  access: RecordAccess,
): Pick<DnsClient, 'ensureRecord' | 'removeRecords'> {
  const { zone, list, foreign } = access;

  async function remove(found: FoundRecord, options: CallOptions): Promise<void> {
    await access.remove(found, options).catch((error: unknown) => {
      if (!isBecause(error, 'record_missing')) throw error;
    });
  }

  async function look(wanted: WantedRecord, options: CallOptions) {
    const found = await list({ name: wanted.name }, options);
    if (found.some((record) => isInTheWay(record, wanted))) throw foreign(wanted);
    const ours = found.filter((record) => isOurs(record, wanted));
    const right = ours.find((record) => isEqual(record, wanted));
    return { right, stale: ours.filter((record) => record !== right) };
  }

  return {
    async ensureRecord(wanted, options = {}) {
      checkName(wanted, zone);
      const { right, stale } = await look(wanted, options);
      // First, because a server refuses a second record that differs in its lifetime alone.
      for (const record of stale) await remove(record, options);
      if (right) return stale.length > 0 ? 'replaced' : 'unchanged';
      await access.create(wanted, options).catch(async (error: unknown) => {
        if (!isBecause(error, 'record_exists')) throw error;
        // Somebody was faster since we looked: another worker of ours, or a stranger. If the list
        // shows neither, it lags behind.
        if (!(await look(wanted, options)).right) throw error;
      });
      return stale.length > 0 ? 'replaced' : 'created';
    },
    async removeRecords(which, options = {}) {
      checkName(which, zone);
      const found = await list({ name: which.name, type: which.type }, options);
      const ours = found.filter((record) => isOurs(record, which));
      for (const record of ours) await remove(record, options);
      return ours.length;
    },
  };
}

const isBecause = (error: unknown, reason: string): boolean =>
  error instanceof UpstreamError && error.reason === reason;

function checkName({ name, comment }: Marked, zone: string): void {
  // Without a comment of ours, every record that has none would seem to be ours.
  if (comment.trim() === '') throw new InvalidInputError('a record of ours carries a comment');
  const isInside = `.${canonicalName(name)}`.endsWith(`.${canonicalName(zone)}`);
  // Cloudflare takes a name outside the zone for a relative one and appends the zone to it.
  if (!isInside) throw new InvalidInputError(`the name ${name} is not in the zone ${zone}`);
}

function isOurs(record: FoundRecord, which: Marked & { readonly type: string }): boolean {
  const isHere = canonicalName(record.name) === canonicalName(which.name);
  return isHere && record.type === which.type && record.comment === which.comment;
}

/** Types that answer the same question as ours, or that tolerate no other beside them. */
const RIVALS: Readonly<Record<WantedRecord['type'], readonly string[]>> = {
  A: ['A', 'AAAA', 'CNAME', 'ANAME'],
  SRV: ['SRV', 'CNAME'],
};

function isInTheWay(record: FoundRecord, wanted: WantedRecord): boolean {
  if (canonicalName(record.name) !== canonicalName(wanted.name)) return false;
  return RIVALS[wanted.type].includes(record.type) && record.comment !== wanted.comment;
}

function isEqual(record: FoundRecord, wanted: WantedRecord): boolean {
  const content = wanted.type === 'A' ? wanted.content : serviceContent(wanted);
  return record.isPlain && record.ttl === wanted.ttl && record.content === content;
}
