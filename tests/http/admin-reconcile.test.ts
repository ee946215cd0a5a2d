import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ADMIN, ALICE, BOB, startTestApp } from '../support/app.ts';

// A node without workers: nobody mends or sweeps but the requests of these tests.
const app = await startTestApp({ environment: { ROLE: 'api' } });
afterAll(() => app[Symbol.asyncDispose]());
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];

const PATH = '/api/admin/reconcile';
const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const WAIT = { headers: { prefer: 'wait=20' } };
const run = () => admin.call('POST', PATH, WAIT);

async function order(headers: Record<string, string> = WAIT.headers) {
  const { body } = await alice.call('POST', '/api/instances', { body: ORDER, headers });
  const { rows } = await app.database.pool.query(
    'SELECT id FROM container_instance WHERE vmid = $1',
    [body.vmid],
  );
  return { vmid: body.vmid as number, id: rows[0].id as string };
}

describe('whoever is not an administrator', () => {
  test.each(['GET', 'POST'])('is refused %s', async (method) => {
    expect(await alice.call(method, PATH)).toMatchObject({
      status: 403,
      body: { error: 'forbidden' },
    });
    expect((await bob.call(method, PATH)).status).toBe(403);
    expect((await app.anonymous.call(method, PATH)).status).toBe(401);
  });
});

test('a report is not to be had before there was a comparison', async () => {
  expect(await admin.call('GET', PATH)).toMatchObject({
    status: 503,
    body: { error: 'unavailable' },
  });
});

describe('a comparison', () => {
  let served: { vmid: number; id: string };
  let deleted: { vmid: number; id: string };
  let waiting: { vmid: number; id: string };

  beforeAll(async () => {
    await using _worker = await app.startNode({ ROLE: 'worker' });
    served = await order();
    deleted = await order();
    await alice.call('DELETE', `/api/containers/${deleted.vmid}?force=true`, WAIT);
  });

  test('finds nothing where nothing is wrong, and is kept for all nodes', async () => {
    const report = await run();
    const kept = await admin.call('GET', PATH);

    expect(report).toMatchObject({
      status: 200,
      body: {
        containersWithoutRow: [],
        rowsWithoutContainer: [],
        debts: [],
        stuckEffects: [],
        timersOverdue: [],
      },
    });
    expect(kept.body).toEqual(report.body);
  });

  test('goes on by itself if nobody waits', async () => {
    const answer = await admin.call('POST', PATH);

    expect(answer).toMatchObject({ status: 202, body: { ok: true, statusUrl: PATH } });
    expect(answer.headers.get('location')).toBe(PATH);
  });

  test('names containers without an instance, and owes only those of our archive', async () => {
    app.proxmox.make(deleted.vmid, { description: `zpack:${deleted.id}` });
    app.proxmox.make(5901, { description: 'zpack:5901-of-another-installation' });
    app.proxmox.make(5902);
    app.proxmox.make(7000);

    const { body } = await run();

    const stray = (fields: object) => expect.objectContaining(fields);
    expect(body.containersWithoutRow).toEqual([
      stray({ vmid: deleted.vmid, marker: deleted.id, belongsTo: deleted.id, isOwed: true }),
      stray({ vmid: 5901, marker: '5901-of-another-installation', belongsTo: null, isOwed: false }),
      stray({ vmid: 5902, name: 'by-hand-5902', marker: null, isOwed: false }),
    ]);
    expect(body.debts).toEqual([stray({ instanceId: deleted.id, code: 'orphan', attempts: 0 })]);
    expect(app.proxmox.containers().map(({ vmid }) => vmid)).toContain(deleted.vmid);
  });

  test('misses a container only when its node does so too', async () => {
    const lag = app.proxmox.faults.plan({
      method: 'GET',
      path: new RegExp(`/lxc/(${served.vmid}|5902)/config$`),
      kind: 'status',
      status: 595,
      text: 'no route to host',
      times: 5,
    });
    await app.proxmox.vanish(served.vmid);

    const unsure = await run();
    lag.cancel();
    const sure = await run();
    app.proxmox.make(served.vmid, { description: 'zpack:somebody-else' });
    const taken = await run();
    await app.proxmox.vanish(served.vmid);
    app.proxmox.make(served.vmid, { description: `zpack:${served.id}` });
    const renamed = await run();

    const row = (found: string) =>
      expect.objectContaining({ instanceId: served.id, vmid: served.vmid, host: 'running', found });
    expect(lag.fired).toBeGreaterThan(0);
    expect(unsure.body.rowsWithoutContainer).toEqual([row('no_answer')]);
    expect(unsure.body.containersWithoutRow).toContainEqual(
      expect.objectContaining({ vmid: 5902, isMarkerKnown: false, isOwed: false }),
    );
    expect(sure.body.rowsWithoutContainer).toEqual([row('nothing')]);
    expect(taken.body.rowsWithoutContainer).toEqual([row('foreign')]);
    expect(renamed.body.rowsWithoutContainer).toEqual([]);
  });

  test('names effects that nobody performs and timers that nobody delivers', async () => {
    waiting = await order({});
    const { pool } = app.database;
    await pool.query(`UPDATE effect SET created_at = now() - interval '2 minutes'`);
    await pool.query(`UPDATE timer SET due_at = now() - interval '1 minute'`);

    const { body } = await run();

    expect(body.stuckEffects).toEqual([
      expect.objectContaining({
        key: expect.stringMatching(`^${waiting.id}/1/`),
        kind: 'container.clone',
        claims: 0,
        isHeld: false,
      }),
    ]);
    expect(body.timersOverdue).toContainEqual(
      expect.objectContaining({
        instanceId: waiting.id,
        timerId: expect.stringContaining('cloneDeadline'),
      }),
    );
    const bereft = body.rowsWithoutContainer.map(({ vmid }: { vmid: number }) => vmid);
    expect(bereft, 'what is being made has no container yet').not.toContain(waiting.vmid);
  });

  test('that Proxmox does not answer fails, and leaves the last report', async () => {
    const before = await admin.call('GET', PATH);
    const fault = app.proxmox.faults.plan({
      method: 'GET',
      path: /\/cluster\/resources$/,
      kind: 'drop_before',
      times: 5,
    });

    const answer = await run();
    fault.cancel();

    expect(fault.fired).toBeGreaterThan(0);
    expect(answer).toMatchObject({ status: 502, body: { error: 'upstream_failed' } });
    expect((await admin.call('GET', PATH)).body).toEqual(before.body);
  });
});
