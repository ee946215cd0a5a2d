import { ANSWERED, ARMED, ASKED, DISARMED, SETTLED } from './commit-steps.ts';

/**
 * The same as commit-steps.ts for subscriptions: row, journal entry, effects and timers of each
 * step are written together, or, if somebody stepped first, none of them. Nobody follows their
 * journal, so its order is that of each subscription alone.
 *
 * $1: JSON array of steps, as written by `toRow` of actor-store.ts.
 */
const STEPS = `
WITH step AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS s(
    id text, version int, "machineVersion" int, snapshot jsonb, "eventId" text, event jsonb,
    completes text, "timerId" text, generation int, effects jsonb, arms jsonb, cancels jsonb,
    answers jsonb, "userId" text)
)`;

/** What follows from the steps that were taken. */
const CONSEQUENCES = `
journaled AS (
  INSERT INTO subscription_journal (instance_id, version, event_id, event, state)
  SELECT t.id, t.version, t."eventId", t.event, t.snapshot -> 'value' FROM taken t
), ${ASKED}, ${ANSWERED}, ${SETTLED}, ${DISARMED}, ${ARMED}
SELECT id FROM taken`;

export const COMMIT_SUBSCRIPTIONS = `${STEPS}, moved AS (
  UPDATE subscription c
  SET snapshot = s.snapshot, version = s.version, machine_version = s."machineVersion",
      updated_at = now()
  FROM step s
  WHERE c.id = s.id AND c.version = s.version - 1
    AND NOT EXISTS (
      SELECT FROM subscription_journal j
      WHERE j.instance_id = s.id AND j.event_id = s."eventId")
    AND s."timerId" IS NOT DISTINCT FROM (
      SELECT t.timer_id FROM timer t WHERE t.instance_id = s.id AND t.timer_id = s."timerId"
        AND t.generation = s.generation)
  RETURNING c.id
), taken AS (
  SELECT s.* FROM step s JOIN moved m ON m.id = s.id
), ${CONSEQUENCES}`;

/** The first step. Somebody who was first has created it: then nothing is written. */
export const CREATE_SUBSCRIPTION = `${STEPS}, created AS (
  INSERT INTO subscription (id, user_id, version, machine_version, snapshot)
  SELECT id, "userId", version, "machineVersion", snapshot FROM step
  ON CONFLICT DO NOTHING
  RETURNING id
), taken AS (
  SELECT s.* FROM step s JOIN created m ON m.id = s.id
), ${CONSEQUENCES}`;
