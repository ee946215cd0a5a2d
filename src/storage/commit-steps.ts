/** What follows from the steps that were `taken`, the same for actors of every kind. */
export const ASKED = `asked AS (
  INSERT INTO effect (key, instance_id, kind, params)
  SELECT e.key, t.id, e.kind, e.params
  FROM taken t, jsonb_to_recordset(t.effects) AS e(key text, kind text, params jsonb)
)`;

export const ANSWERED = `answered AS (
  INSERT INTO idempotency_key (user_id, key, fingerprint, status, response)
  SELECT a."userId", a.key, a.fingerprint, a.status, a.response
  FROM taken t, jsonb_to_recordset(t.answers) AS a(
    "userId" text, key text, fingerprint text, status int, response jsonb)
)`;

export const SETTLED = `settled AS (
  DELETE FROM effect WHERE key = ANY (ARRAY(SELECT completes FROM taken))
)`;

export const DISARMED = `disarmed AS (
  DELETE FROM timer r
  WHERE r.instance_id = ANY (ARRAY(SELECT id FROM taken WHERE cancels IS NOT NULL))
    AND (r.instance_id, r.timer_id) IN (
      SELECT t.id, c.timer_id FROM taken t, jsonb_array_elements_text(t.cancels) AS c(timer_id))
)`;

export const ARMED = `armed AS (
  INSERT INTO timer (instance_id, timer_id, generation, event, due_at)
  SELECT t.id, a."timerId", t.version, a.event, now() + a."delayMs" * interval '1 millisecond'
  FROM taken t,
    jsonb_to_recordset(t.arms) AS a("timerId" text, "delayMs" double precision, event jsonb)
  ON CONFLICT (instance_id, timer_id) DO UPDATE
  SET generation = excluded.generation, event = excluded.event, due_at = excluded.due_at
)`;

/**
 * Group commit: any number of steps of different actors in one statement, and so in one
 * transaction and one round trip. Everything hangs on `moved`, the rows whose version was the
 * expected one: a step that lost the race leaves no journal entry, effect or timer behind.
 *
 * `head` hands out the journal's order numbers. Its row stays locked until the commit, which
 * makes them dense and in commit order: a reader that asks for more than the last one it has
 * seen can miss none. The statement does not wait for the client, so the lock is short.
 *
 * The statement is planned once a connection, perhaps while its tables are still small, and must
 * bear their growth: what may be large is found by correlated subqueries and `= ANY`, which the
 * planner cannot turn into a join that reads the whole table (database.ts forbids the plain scan).
 *
 * $1: JSON array of steps, as written by `toInstanceRow` of actor-store.ts: without what is empty,
 * and without a payload that the row has already.
 */
export const COMMIT_STEPS = `
WITH step AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS s(
    id text, version int, "machineVersion" int, snapshot jsonb, "eventId" text, event jsonb,
    payload jsonb, completes text, "timerId" text, generation int, effects jsonb, arms jsonb,
    cancels jsonb, operations jsonb, answers jsonb
  )
), moved AS (
  UPDATE container_instance c
  SET snapshot = s.snapshot, payload = COALESCE(s.payload, c.payload), version = s.version,
      machine_version = s."machineVersion", updated_at = now()
  FROM step s
  WHERE c.id = s.id AND c.version = s.version - 1
    AND (
      SELECT j.seq FROM journal j WHERE j.instance_id = s.id AND j.event_id = s."eventId") IS NULL
    AND s."timerId" IS NOT DISTINCT FROM (
      SELECT t.timer_id FROM timer t WHERE t.instance_id = s.id AND t.timer_id = s."timerId"
        AND t.generation = s.generation)
  RETURNING c.id, c.vmid
), taken AS (
  SELECT s.*, m.vmid, row_number() OVER (ORDER BY s.id) AS place
  FROM step s JOIN moved m ON m.id = s.id
), head AS (
  UPDATE journal_head SET last_seq = last_seq + (SELECT count(*) FROM moved)
  WHERE (SELECT count(*) FROM moved) > 0
  RETURNING last_seq
), journaled AS (
  INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
  SELECT head.last_seq - (SELECT count(*) FROM moved) + t.place,
    t.id, t.vmid, t.version, t."eventId", t.event, t.snapshot -> 'value'
  FROM taken t, head
), ${ASKED}, followed AS (
  INSERT INTO operation (id, instance_id, vmid, record, accepted_at)
  SELECT o.id, t.id, t.vmid, o.record, o."acceptedAt"
  FROM taken t, jsonb_to_recordset(t.operations) AS o(id text, record jsonb, "acceptedAt" timestamptz)
  ON CONFLICT (instance_id, id) DO UPDATE SET record = excluded.record
), ${ANSWERED}, ${SETTLED}, ${DISARMED}, ${ARMED}
SELECT id FROM moved`;

/**
 * The last step of an actor: its row becomes a row of the archive, and its timers, its effects
 * and, unless something of it is still owed, its VMID and its port go with it. All or nothing.
 *
 * $1: one step, as above.
 */
export const ARCHIVE_STEP = `
WITH step AS MATERIALIZED (
  SELECT * FROM jsonb_to_record($1::jsonb) AS s(
    id text, version int, snapshot jsonb, payload jsonb, "eventId" text, event jsonb,
    "timerId" text, generation int, operations jsonb, answers jsonb)
), moved AS (
  DELETE FROM container_instance c USING step s
  WHERE c.id = s.id AND c.version = s.version - 1
    AND (
      SELECT j.seq FROM journal j WHERE j.instance_id = s.id AND j.event_id = s."eventId") IS NULL
    AND s."timerId" IS NOT DISTINCT FROM (
      SELECT t.timer_id FROM timer t WHERE t.instance_id = s.id AND t.timer_id = s."timerId"
        AND t.generation = s.generation)
  RETURNING c.id, c.vmid, c.created_at, c.payload AS kept
), taken AS (
  SELECT s.*, m.vmid, m.created_at, m.kept, s.snapshot -> 'context' AS context
  FROM step s JOIN moved m ON m.id = s.id
), head AS (
  UPDATE journal_head SET last_seq = last_seq + 1 WHERE EXISTS (SELECT FROM moved)
  RETURNING last_seq
), journaled AS (
  INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
  SELECT head.last_seq, t.id, t.vmid, t.version, t."eventId", t.event, t.snapshot -> 'value'
  FROM taken t, head
), archived AS (
  INSERT INTO deleted_instance (id, vmid, customer_id, ctype, hostname, ip, node, payload,
    engine_type, allocated_ports, operation, created_at)
  SELECT t.id, t.vmid, t.context ->> 'customerId', t.context ->> 'ctype',
    t.context ->> 'hostname', t.context ->> 'ip', t.context ->> 'node',
    COALESCE(t.payload, t.kept), t.context ->> 'engineType', t.context -> 'allocatedPorts',
    t.context -> 'operation', t.created_at
  FROM taken t
), owed AS (
  INSERT INTO debt (instance_id, vmid, kind, code, message, subject)
  SELECT t.id, t.vmid, d.kind, d.code, d.message, d.subject
  FROM taken t, jsonb_to_recordset(t.context -> 'debts') AS d(
    kind text, code text, message text, subject jsonb)
), followed AS (
  INSERT INTO operation (id, instance_id, vmid, record, accepted_at)
  SELECT o.id, t.id, t.vmid, o.record, o."acceptedAt"
  FROM taken t, jsonb_to_recordset(t.operations) AS o(id text, record jsonb, "acceptedAt" timestamptz)
  ON CONFLICT (instance_id, id) DO UPDATE SET record = excluded.record
), ${ANSWERED}, settled AS (
  DELETE FROM effect WHERE instance_id = ANY (ARRAY(SELECT id FROM taken))
), disarmed AS (
  DELETE FROM timer WHERE instance_id = ANY (ARRAY(SELECT id FROM taken))
), released AS (
  DELETE FROM vmid_reservation v USING taken t
  WHERE v.instance_id = t.id AND jsonb_array_length(t.context -> 'debts') = 0
), closed AS (
  DELETE FROM edge_port p USING taken t
  WHERE p.instance_id = t.id AND jsonb_array_length(t.context -> 'debts') = 0
)
SELECT id FROM moved`;

/** The first step: row, journal entry, effects and timers, and the answer to replay. $1: as above. */
export const CREATE_STEP = `
WITH step AS MATERIALIZED (
  SELECT * FROM jsonb_to_record($1::jsonb) AS s(
    id text, vmid int, version int, "machineVersion" int, snapshot jsonb, payload jsonb,
    "eventId" text, event jsonb, effects jsonb, arms jsonb, operations jsonb, answers jsonb)
), created AS (
  INSERT INTO container_instance (id, vmid, version, machine_version, snapshot, payload)
  SELECT id, vmid, version, "machineVersion", snapshot, payload FROM step
), head AS (
  UPDATE journal_head SET last_seq = last_seq + 1 RETURNING last_seq
), journaled AS (
  INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
  SELECT head.last_seq, s.id, s.vmid, s.version, s."eventId", s.event, s.snapshot -> 'value'
  FROM step s, head
), asked AS (
  INSERT INTO effect (key, instance_id, kind, params)
  SELECT e.key, s.id, e.kind, e.params
  FROM step s, jsonb_to_recordset(s.effects) AS e(key text, kind text, params jsonb)
), followed AS (
  INSERT INTO operation (id, instance_id, vmid, record, accepted_at)
  SELECT o.id, t.id, t.vmid, o.record, o."acceptedAt"
  FROM step t, jsonb_to_recordset(t.operations) AS o(id text, record jsonb, "acceptedAt" timestamptz)
  ON CONFLICT (instance_id, id) DO UPDATE SET record = excluded.record
), answered AS (
  INSERT INTO idempotency_key (user_id, key, fingerprint, status, response)
  SELECT a."userId", a.key, a.fingerprint, a.status, a.response
  FROM step t, jsonb_to_recordset(t.answers) AS a(
    "userId" text, key text, fingerprint text, status int, response jsonb)
)
INSERT INTO timer (instance_id, timer_id, generation, event, due_at)
SELECT s.id, a."timerId", s.version, a.event, now() + a."delayMs" * interval '1 millisecond'
FROM step s,
  jsonb_to_recordset(s.arms) AS a("timerId" text, "delayMs" double precision, event jsonb)`;
