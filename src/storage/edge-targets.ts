import type { Pool } from 'pg';

import type { Target } from '../machines/instance/edge-types.ts';
import { toStorageError } from './failures.ts';

/** An instance that is reached through Velocity, and where its actor believes its name leads. */
export interface ProxyTarget {
  readonly id: string;
  readonly version: number;
  readonly serverName: string;
  /** null: nowhere, as far as we know. */
  readonly address: string | null;
  readonly port: number | null;
  /** Of its proxy region; null while a call of ours is in flight. */
  readonly state: string | null;
}

/** An instance that lives, and its targets at third parties. */
export interface PublishedTarget {
  readonly id: string;
  readonly vmid: number;
  readonly version: number;
  readonly hostname: string;
  readonly ip: string | null;
  readonly targets: readonly Target[];
}

/** What comparisons with third parties start from. Each is one query. */
export interface EdgeTargets {
  listProxied(): Promise<readonly ProxyTarget[]>;
  /** All that live, or those of them. */
  listPublished(ids?: readonly string[]): Promise<readonly PublishedTarget[]>;
  /** Which of these names were an instance's that lives no more, and are no living one's. */
  filterArchivedNames(names: readonly string[]): Promise<readonly string[]>;
}

// A payload may lie out of line: taken apart once, it is fetched once.
const FROM = `FROM container_instance c
  CROSS JOIN LATERAL jsonb_to_record(c.payload) AS p (edge jsonb, proxy jsonb)`;

const PROXIED = `SELECT c.id, c.version, p.proxy ->> 'serverName' AS "serverName",
    p.proxy -> 'registration' ->> 'address' AS address,
    (p.proxy -> 'registration' ->> 'port')::int AS port,
    CASE jsonb_typeof(s.value -> 'proxy') WHEN 'string' THEN s.value ->> 'proxy' END AS state
  ${FROM}
  CROSS JOIN LATERAL jsonb_to_record(c.snapshot) AS s (value jsonb)
  WHERE jsonb_typeof(p.proxy) = 'object'`;

const PUBLISHED = `SELECT c.id, c.vmid, c.version, c.hostname, c.ip,
    COALESCE(p.edge -> 'targets', '[]') AS targets
  ${FROM}
  WHERE $1::text[] IS NULL OR c.id = ANY ($1)
  ORDER BY c.vmid`;

/** A number comes round again, and with it the name. */
const ARCHIVED = `SELECT DISTINCT hostname FROM deleted_instance d WHERE lower(hostname) = ANY ($1)
  AND NOT EXISTS (SELECT FROM container_instance c WHERE lower(c.hostname) = lower(d.hostname))`;

export function createEdgeTargets(pool: Pool): EdgeTargets {
  async function list<Row extends object>(name: string, text: string, values: unknown[] = []) {
    try {
      return (await pool.query<Row>({ name, text, values })).rows;
    } catch (error) {
      throw toStorageError(error, name);
    }
  }
  return {
    listProxied: () => list<ProxyTarget>('list_proxied', PROXIED),
    listPublished: (ids) => list<PublishedTarget>('list_published', PUBLISHED, [ids ?? null]),
    async filterArchivedNames(names) {
      // Nearly always there is none to ask about, and the archive is long.
      if (names.length === 0) return [];
      const lower = names.map((name) => name.toLowerCase());
      const rows = await list<{ hostname: string }>('filter_archived_names', ARCHIVED, [lower]);
      return rows.map(({ hostname }) => hostname);
    },
  };
}
