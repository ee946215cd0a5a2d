import type { Pool } from 'pg';

import type { EdgeWorld } from '../../lab/edge.ts';
import type { Proxmox } from '../../lab/proxmox/server.ts';
import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { readMarker } from '../../src/machines/instance/marker.ts';
import { createEdgePorts } from '../../src/storage/edge-ports.ts';
import { createVmids } from '../../src/storage/vmids.ts';
import type { CrashWorld } from './crash-world.ts';
import { until } from './until.ts';

/** A superseded effect is found by a sweep within seconds; none may be left after this. */
const EFFECTS_GONE_MS = 20_000;
/** Also after pauses between attempts that a killed node has left behind. */
const PUBLISHED_MS = 30_000;

interface Found {
  /** Sentences about what is wrong; empty if nothing is. */
  readonly violations: readonly string[];
  readonly live: number;
  readonly deleted: number;
  /** Orders that came to nothing when a process died between the reservation and the commit. */
  readonly abandoned: number;
  /** Failures that were told to machines, by code. */
  readonly failures: readonly string[];
  /** The longest time that an instance on its way to somewhere did not move. */
  readonly stallMs: number;
}

/** What must be true of a world in which every life has come to its end, whoever died meanwhile. */
export async function examine({ database, proxmox, edge, nodes }: CrashWorld): Promise<Found> {
  const { pool } = database;
  const violations: string[] = [...nodes.strange()];
  const check = (isRight: boolean, violation: string) => {
    if (!isRight) violations.push(violation);
  };
  await until(async () => (await count(pool, 'effect')) === 0, {
    timeoutMs: EFFECTS_GONE_MS,
    what: 'the last effect to be settled',
  }).catch(async () => {
    const { rows } = await pool.query('SELECT * FROM effect');
    violations.push(`effects are left: ${JSON.stringify(rows)}`);
  });
  const abandoned = await createVmids(pool).releaseAbandoned(0);
  await createEdgePorts(pool).releaseAbandoned(0);
  const live = await readLive(pool);
  for (const { id, state } of live) check(state === 'ready', `${id} is ${state}, not ready`);
  const ids = new Set(live.map(({ id }) => id));

  checkContainers(proxmox, ids, check);
  for (const table of ['timer', 'vmid_reservation'] as const) {
    const { rows } = await pool.query<{ id: string }>(`SELECT instance_id AS id FROM ${table}`);
    for (const { id } of rows) check(ids.has(id), `${table} has a row of ${id}, which is gone`);
  }
  check((await count(pool, 'vmid_reservation')) === live.length, 'a live instance has no VMID');
  check((await count(pool, 'debt')) === 0, 'something is owed');
  if (edge) await checkEdge(pool, edge, ids, check);
  await checkOperations(pool, ids, check);
  await checkJournal(pool, check);
  const deleted = await checkArchive(pool, ids, check);
  const failures = await readFailures(pool);
  await checkClones(pool, proxmox, failures.length, check);
  return {
    violations,
    live: live.length,
    deleted,
    abandoned,
    failures,
    stallMs: await readStall(pool),
  };
}

type Check = (isRight: boolean, violation: string) => void;

async function count(pool: Pool, table: string): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
  return rows[0]?.n ?? -1;
}

async function readLive(pool: Pool): Promise<{ id: string; state: string }[]> {
  const { rows } = await pool.query<{ id: string; state: string }>(
    `SELECT id, snapshot #>> '{value,provisioning}' AS state FROM container_instance ORDER BY id`,
  );
  return rows;
}

/** A game: an address and a service in each DNS, and a forward. */
const MARKS_OF_A_GAME = 5;

/** Every live game is published everywhere, and nothing else is. */
async function checkEdge(
  pool: Pool,
  { cloudflare, technitium, opnsense }: EdgeWorld,
  ids: ReadonlySet<string>,
  check: Check,
): Promise<void> {
  const unpublished = async () => {
    const { rows } = await pool.query<{ id: string }>(
      `SELECT id FROM container_instance
       WHERE ctype = 'game' AND snapshot #>> '{value,edge}' IS DISTINCT FROM 'published'`,
    );
    return rows.map(({ id }) => id);
  };
  await until(async () => (await unpublished()).length === 0, {
    what: 'the publication of all',
    timeoutMs: PUBLISHED_MS,
  }).catch(async () => check(false, `not published: ${await unpublished()}`));
  const marks = [
    ...cloudflare.records().map(({ comment }) => comment),
    ...technitium.records().map(({ comments }) => comments),
    ...opnsense.records().map(({ descr }) => descr),
  ].flatMap((text) => readMarker(text ?? null) ?? []);
  for (const id of new Set(marks)) check(ids.has(id), `the edge still knows ${id}`);
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM container_instance WHERE ctype = 'game'`,
  );
  for (const { id } of rows) {
    const found = marks.filter((mark) => mark === id).length;
    check(found === MARKS_OF_A_GAME, `the edge knows ${id} in ${found} places`);
  }
  const { rows: ports } = await pool.query<{ id: string }>(
    'SELECT instance_id AS id FROM edge_port',
  );
  for (const { id } of ports) check(ids.has(id), `a port is still reserved for ${id}`);
}

/** One running container for each live instance, bearing its marker, and no other one. */
function checkContainers(proxmox: Proxmox, ids: ReadonlySet<string>, check: Check): void {
  const missing = new Set(ids);
  for (const { vmid, description, status } of proxmox.containers()) {
    if (vmid === proxmox.templateVmid) continue;
    const marker = readMarker(description ?? null) ?? 'nobody';
    check(ids.has(marker), `container ${vmid} is an orphan of ${marker}`);
    check(!ids.has(marker) || missing.delete(marker), `${marker} has a second container, ${vmid}`);
    check(!ids.has(marker) || marker.startsWith(`${vmid}-`), `${marker} is container ${vmid}`);
    check(!ids.has(marker) || status === 'running', `container ${vmid} of ${marker} is ${status}`);
  }
  for (const id of missing) check(false, `${id} has no container`);
}

/** Whatever was accepted has come to an end, and has left its record. */
async function checkOperations(pool: Pool, ids: ReadonlySet<string>, check: Check): Promise<void> {
  const { rows: running } = await pool.query<{ id: string }>(
    `SELECT id || ' of ' || instance_id AS id FROM operation WHERE record ->> 'state' = 'running'`,
  );
  for (const { id } of running) check(false, `operation ${id} has no end`);
  const { rows } = await pool.query<{ id: string }>(
    `SELECT DISTINCT instance_id AS id FROM operation WHERE record ->> 'kind' = 'create'`,
  );
  const known = new Set(rows.map(({ id }) => id));
  for (const id of ids) check(known.has(id), `the creation of ${id} is not written down`);
}

/** Every instance's versions count from 1, and the order of all steps has neither hole nor twin. */
async function checkJournal(pool: Pool, check: Check): Promise<void> {
  const { rows: gaps } = await pool.query<{ id: string }>(
    `SELECT j.instance_id AS id FROM journal j
     LEFT JOIN container_instance c ON c.id = j.instance_id
     GROUP BY j.instance_id, c.version
     HAVING min(j.version) <> 1 OR max(j.version) <> count(*) OR c.version <> max(j.version)`,
  );
  for (const { id } of gaps) check(false, `the journal of ${id} has a gap`);
  const { rows } = await pool.query<{ isDense: boolean }>(
    `SELECT coalesce(min(seq), 1) = 1 AND coalesce(max(seq), 0) = count(*)
       AND coalesce(max(seq), 0) = (SELECT last_seq FROM journal_head) AS "isDense" FROM journal`,
  );
  check(rows[0]?.isDense === true, 'the order of the journal has a hole');
}

/** Every instance that ever was is either live or in the archive, never both, never neither. */
async function checkArchive(pool: Pool, ids: ReadonlySet<string>, check: Check): Promise<number> {
  const { rows: born } = await pool.query<{ id: string; isArchived: boolean }>(
    `SELECT j.instance_id AS id, d.id IS NOT NULL AS "isArchived" FROM journal j
     LEFT JOIN deleted_instance d ON d.id = j.instance_id WHERE j.version = 1`,
  );
  for (const { id, isArchived } of born) {
    check(
      isArchived !== ids.has(id),
      `${id} is ${isArchived ? 'also' : 'neither live nor'} archived`,
    );
  }
  const deleted = await count(pool, 'deleted_instance');
  check(born.length === ids.size + deleted, 'an instance without a journal is in the archive');
  return deleted;
}

async function readFailures(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ failure: string }>(
    `SELECT instance_id || ' ' || (event ->> 'code') || ': ' || (event ->> 'message') AS failure
     FROM journal WHERE event ->> 'type' = 'effect.failed'`,
  );
  return rows.map(({ failure }) => failure);
}

/** A clone's task names only the template, so all are counted: one for each container, no more. */
async function checkClones(
  pool: Pool,
  { url, ca, tokenId, tokenSecret, nodes, templateVmid }: Proxmox,
  slack: number,
  check: Check,
): Promise<void> {
  await using client = createProxmoxClient({
    baseUrl: url,
    ca,
    tokenId,
    tokenSecret,
    timeoutMs: 5_000,
  });
  let made = 0;
  for (const node of nodes) {
    made += (await client.listTasks({ node, vmid: templateVmid, typefilter: 'vzclone' })).length;
  }
  const { rows } = await pool.query<{ n: number }>(
    `SELECT count(DISTINCT instance_id)::int AS n FROM journal
     WHERE event ->> 'type' = 'container.cloned'`,
  );
  const wanted = rows[0]?.n ?? -1;
  check(made >= wanted && made <= wanted + slack, `${made} clones for ${wanted} containers`);
}

async function readStall(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ ms: number }>(
    `SELECT coalesce(max(extract(epoch FROM at - before) * 1000), 0)::float AS ms FROM (
       SELECT at, lag(at) OVER own AS before, lag(state) OVER own AS was
       FROM journal WINDOW own AS (PARTITION BY instance_id ORDER BY version)
     ) AS steps WHERE was ->> 'provisioning' IS DISTINCT FROM 'ready'`,
  );
  return Math.round(rows[0]?.ms ?? 0);
}
