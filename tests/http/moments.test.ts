import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createReplay } from '../../src/actors/replay.ts';
import type { Stored } from '../../src/actors/store.ts';
import { createMoments } from '../../src/http/moments.ts';
import { redact } from '../../src/http/redact.ts';
import { definitions } from '../../src/machines/index.ts';
import { createHistory } from '../../src/storage/history.ts';
import { ADMIN, ALICE, BOB, type Client, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp({ environment: { ROLE: 'api', POLL_INTERVAL_MS: '200' } });
const opened = new AsyncDisposableStack();
opened.use(app);
afterAll(() => opened.disposeAsync());
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];
const { pool } = app.database;

// What was stored after every step: the row itself has only the latest.
await pool.query(`
  CREATE TABLE kept (id text, version int, snapshot jsonb);
  CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO kept VALUES (
        NEW.id, NEW.version, jsonb_set(NEW.snapshot, '{context,payload}', NEW.payload));
      RETURN NEW;
    END $$;
  CREATE TRIGGER keeps AFTER INSERT OR UPDATE ON container_instance
    FOR EACH ROW EXECUTE FUNCTION keep()`);

const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const order = async (): Promise<number> =>
  (await alice.call('POST', '/api/instances', { body: ORDER })).body.vmid;
const get = (vmid: number, path: string, client: Client = admin) =>
  client.call('GET', `/api/servers/${vmid}/${path}`);
const statusOf = async (vmid: number) => (await get(vmid, 'status')).body;
const comes = (vmid: number, status: string) =>
  until(async () => (await statusOf(vmid)).status === status, {
    what: `${vmid} to be ${status}`,
    timeoutMs: 20_000,
  });

describe('of a life that goes on', () => {
  let vmid: number;

  beforeAll(async () => {
    vmid = await order();
  });

  test('the present moment says exactly what why says, deadlines and causes included', async () => {
    const [why, moment] = [await get(vmid, 'why'), await get(vmid, 'moments/1')];

    expect(moment).toMatchObject({ status: 200, body: { lost: null, status: 'installing' } });
    expect(moment.body.regions).toEqual(why.body.regions);
    expect(why.body.regions[0].deadline).toMatchObject({ name: 'cloneDeadline' });
    const { body: actions } = await get(vmid, 'actions');
    expect(moment.body.actions).toEqual(actions.actions);
  });

  test('every moment is what was stored then', async () => {
    opened.use(await app.startNode({ ROLE: 'worker' }));
    await comes(vmid, 'running');
    const headers = { prefer: 'wait=20' };
    await alice.call('POST', `/api/servers/${vmid}/host/stop`, { headers });
    await comes(vmid, 'stopped');
    const { revision } = await statusOf(vmid);
    const { rows } = await pool.query(
      `SELECT k.version, k.snapshot, j.state FROM kept k
       JOIN journal j ON j.instance_id = k.id AND j.version = k.version
       WHERE j.vmid = $1 AND k.version <= $2 ORDER BY k.version`,
      [vmid, revision],
    );

    expect(rows.length).toBe(revision);
    expect(rows.length).toBeGreaterThan(10);
    for (const { version, snapshot } of rows) {
      const { body } = await get(vmid, `moments/${version}`);
      expect(body.lost).toBeNull();
      expect(body.context).toEqual(redact(snapshot.context));
      expect(body.regions.map(({ since }: { since: string }) => Date.parse(since)).sort()).toEqual(
        Object.values(snapshot.since).sort(),
      );
      expect(body.entry.revision).toBe(version);
    }
    const { body: why } = await get(vmid, 'why');
    const present = (await get(vmid, `moments/${why.revision}`)).body;
    expect(present.regions).toEqual(why.regions);
    const history = (await get(vmid, 'history?limit=200')).body.entries;
    const middle = (await get(vmid, 'moments/7')).body.entry;
    expect(history).toContainEqual(middle);
  });

  test('its owner sees all but what is remembered, and nobody else sees anything', async () => {
    const mine = await get(vmid, 'moments/2', alice);
    const theirs = await get(vmid, 'moments/2', bob);

    expect(mine).toMatchObject({ status: 200, body: { context: null, lost: null } });
    expect(mine.body.conditions[0]).toMatchObject({ type: 'Provisioned', status: 'False' });
    expect(theirs).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect((await get(vmid, 'moments/2', app.anonymous)).status).toBe(401);
    expect((await get(vmid, 'moments/99999')).status).toBe(404);
    expect((await get(vmid, 'moments/0')).body.error).toBe('invalid_input');
  });

  test('what another machine did is said to be so, and nothing is made up', async () => {
    const { rows } = await pool.query(
      `UPDATE journal SET state = jsonb_set(state, '{host}', '"melted"')
       WHERE vmid = $1 AND version = 5 RETURNING instance_id`,
      [vmid],
    );
    const [before, at, after] = [
      (await get(vmid, 'moments/4')).body,
      (await get(vmid, 'moments/5')).body,
      (await get(vmid, 'moments/6')).body,
    ];

    expect(rows).toHaveLength(1);
    expect(before).toMatchObject({ lost: null, context: { vmid } });
    for (const body of [at, after]) {
      const nothing = { context: null, regions: null, conditions: null, actions: null };
      expect(body).toMatchObject({ lost: { code: 'other_machine' }, ...nothing });
    }
    expect(at.entry.regions.host).toBe('melted');
    // An order of a shape that is not known any more.
    await pool.query(
      `UPDATE journal SET event = jsonb_set(event, '{input}', '{}') WHERE vmid = $1 AND version = 1`,
      [vmid],
    );
    expect((await get(vmid, 'moments/1')).body).toMatchObject({ lost: { code: 'other_machine' } });
  });
});

test('a life that has ended can be looked at up to its end, by whom it belonged to', async () => {
  const vmid = await order();
  await comes(vmid, 'running');
  const { instance } = (await get(vmid, 'history')).body;
  await alice.call('DELETE', `/api/containers/${vmid}?force=true`, {
    headers: { prefer: 'wait=20' },
  });
  await until(async () => (await get(vmid, 'moments/1')).status === 404, {
    what: 'the end to be heard of',
  });
  const history = (await get(vmid, `history?limit=200&instance=${instance}`)).body.entries;
  const last = `moments/${history[0].revision}?instance=${instance}`;

  expect(await get(vmid, last, alice)).toMatchObject({
    body: { lost: null, status: 'deleted', entry: history[0] },
  });
  expect((await get(vmid, last, bob)).status).toBe(404);
});

/** A reader of its own, which remembers nothing of what others have read. */
const HOW = {
  history: createHistory(pool),
  replay: createReplay('instance', definitions.instance),
  upgrade: ({ snapshot }: Stored) => snapshot,
};

test('a life whose states agree and whose memory does not is not made up either', async () => {
  const vmid = await order();
  await comes(vmid, 'running');
  const { instance } = (await get(vmid, 'history')).body;
  const before = await createMoments(HOW).find(instance, 2);
  await pool.query(
    `UPDATE container_instance
     SET snapshot = jsonb_set(snapshot, '{context,opSeq}', '4711') WHERE id = $1`,
    [instance],
  );

  expect(before).toMatchObject({ revision: 2 });
  expect(await createMoments(HOW).find(instance, 2)).toBe('other_machine');
});

test('whoever asks for too much is told so', async () => {
  const vmid = await order();
  await comes(vmid, 'running');
  const { instance } = (await get(vmid, 'history')).body;
  const moments = createMoments({
    ...HOW,
    limits: { revisionMax: 3, waitingMax: 2 },
  });

  expect(await moments.find(instance, 4)).toBe('too_long');
  const [first, second, third] = await Promise.allSettled([
    moments.find(instance, 3),
    moments.find(instance, 2),
    moments.find(instance, 1),
  ]);
  expect(first).toMatchObject({ status: 'fulfilled', value: { revision: 3 } });
  expect(second).toMatchObject({ status: 'fulfilled', value: { revision: 2 } });
  expect(third).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  expect(await moments.find(instance, 1)).toMatchObject({ revision: 1 });
});
