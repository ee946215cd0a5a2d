import type { Pool } from 'pg';

import type { AgentCondition, Power } from '../machines/instance/types.ts';
import { toStorageError } from './failures.ts';

/** An agent that ought to answer, and what its instance has been told of it. */
export interface AgentTarget {
  readonly id: string;
  readonly vmid: number;
  readonly version: number;
  readonly ip: string;
  /** `unknown`: not heard since its container was started. */
  readonly agent: AgentCondition | 'unknown';
  readonly readySource: string | null;
  readonly installStep: string | null;
  readonly state: string | null;
  readonly reportedCrashes: number | null;
}

/** A container that ought to be on Proxmox, and what its instance has been told of it. */
export interface HostTarget {
  readonly id: string;
  readonly vmid: number;
  readonly version: number;
  readonly node: string | null;
  /** null: at the moment only a call of ours may say, or it is not cloned yet. */
  readonly power: Power | null;
  readonly lock: string | null;
  /** It was started, and its address has to be found out. */
  readonly needsAddress: boolean;
}

/** What polls are compared with. Each is one query, however many instances there are. */
export interface PollTargets {
  /** Agents of one shard: those in service whose container is on. */
  listAgents(shard: { readonly index: number; readonly count: number }): Promise<AgentTarget[]>;
  listHosts(): Promise<HostTarget[]>;
}

// A snapshot is long enough to be stored compressed: taken apart once, it is unpacked once.
const FROM = `FROM container_instance c
  CROSS JOIN LATERAL jsonb_to_record(c.snapshot) AS s (value jsonb, context jsonb)`;

// The cheap columns come first: they spare the others most rows.
const AGENTS = `SELECT c.id, c.vmid, c.version, c.ip, c.agent_state AS agent,
    s.context -> 'agent' ->> 'readySource' AS "readySource",
    s.context -> 'agent' ->> 'installStep' AS "installStep",
    s.context -> 'agent' ->> 'state' AS state,
    (s.context -> 'agent' ->> 'reportedCrashes')::float8 AS "reportedCrashes"
  ${FROM}
  WHERE c.vmid % $2 = $1 AND c.ip IS NOT NULL AND c.agent_state <> 'offline'
    AND s.value ->> 'host' = 'running' AND s.value ->> 'provisioning' = 'ready'`;

const HOSTS = `SELECT c.id, c.vmid, c.version, c.node,
    CASE
      WHEN s.context -> 'ops' ->> 'host' IS NOT NULL THEN NULL
      WHEN s.value -> 'provisioning' ? 'cloning' THEN NULL
      WHEN s.value ->> 'host' IN ('running', 'stopped', 'absent') THEN s.value ->> 'host'
      WHEN s.value -> 'host' ->> 'unknown' = 'waiting' THEN 'unknown'
    END AS power,
    s.context -> 'sighting' ->> 'lock' AS lock,
    c.ip IS NULL AND s.value ->> 'host' = 'running' AND s.value ->> 'provisioning' = 'ready'
      AS "needsAddress"
  ${FROM}`;

export function createPollTargets(pool: Pool): PollTargets {
  async function list<Row extends object>(name: string, text: string, values: unknown[]) {
    try {
      return (await pool.query<Row>({ name, text, values })).rows;
    } catch (error) {
      throw toStorageError(error, name);
    }
  }
  return {
    listAgents: ({ index, count }) =>
      list<AgentTarget>('list_agents_to_poll', AGENTS, [index, count]),
    listHosts: () => list<HostTarget>('list_hosts_to_compare', HOSTS, []),
  };
}
