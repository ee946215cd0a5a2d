import { afterAll, describe, expect, test } from 'vitest';

import { ADMIN, ALICE, type Answer, BOB, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

// A node without workers: an order stays in its first state until a worker joins.
const app = await startTestApp({ environment: { ROLE: 'api' } });
const opened = new AsyncDisposableStack();
opened.use(app);
afterAll(() => opened.disposeAsync());
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];

const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const { vmid } = (await alice.call('POST', '/api/instances', { body: ORDER })).body;
const get = (path: string, client = alice) => client.call('GET', `/api/servers/${vmid}/${path}`);
const regionOf = ({ body }: Answer, name: string) =>
  body.regions.find(({ region }: { region: string }) => region === name);

describe('while nobody works', () => {
  test('why says what is waited for, until when, what led here and what comes next', async () => {
    const answer = await get('why');

    const { body: history } = await get('history');
    expect(answer).toMatchObject({ status: 200, body: { vmid, revision: 1 } });
    const provisioning = regionOf(answer, 'provisioning');
    expect(provisioning).toMatchObject({
      state: 'cloning.performing',
      isTransient: true,
      cause: { type: 'instance.created', revision: 1, seq: history.entries[0].seq },
      waitsFor: { calls: [{ lane: 'host', kind: 'clone' }] },
      deadline: { name: 'cloneDeadline' },
    });
    const { rows } = await app.database.pool.query('SELECT due_at FROM timer');
    expect(provisioning.deadline.dueAt).toBe(rows[0].due_at.toISOString());
    expect(provisioning.next[0]).toMatchObject({
      kind: 'deadline',
      state: 'failed',
      description: expect.stringContaining('failed for good'),
      dueAt: provisioning.deadline.dueAt,
    });
  });

  test('actions says of each wish whether it is allowed, and else what would lift that', async () => {
    const { body } = await get('actions');

    const of = (name: string) =>
      body.actions.find(({ action }: { action: string }) => action === name);
    expect(of('delete')).toEqual({ action: 'delete', isAllowed: true, refusal: null });
    expect(of('start')).toMatchObject({
      isAllowed: false,
      refusal: { code: 'provisioning_in_progress', lift: expect.stringContaining('wait') },
    });
    const status = await get('status');
    const allowed = body.actions.filter(({ isAllowed }: { isAllowed: boolean }) => isAllowed);
    expect(allowed.map(({ action }: { action: string }) => action)).toEqual(
      status.body.allowedActions,
    );
  });
});

describe('whoever', () => {
  test.each(['history', 'why', 'actions'])('is not its owner sees no %s', async (path) => {
    const [theirs, nobodys] = [
      await get(path, bob),
      await bob.call('GET', `/api/servers/5998/${path}`),
    ];

    expect(theirs).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect(nobodys.body.title).toBe(theirs.body.title);
    expect((await get(path, app.anonymous)).status).toBe(401);
    expect((await get(path, admin)).status).toBe(200);
    expect((await alice.call('GET', `/api/servers/x/${path}`)).body.error).toBe('invalid_input');
  });
});

describe('the history', () => {
  test('tells a whole life page by page, and is kept for its owner when it has ended', async () => {
    const first = (await get('history')).body;
    const instance: string = first.instance;
    opened.use(await app.startNode({ ROLE: 'worker' }));
    await until(async () => (await get('status')).body.status === 'running', {
      what: 'the server to run',
      timeoutMs: 20_000,
    });
    const why = await get('why');
    const removed = await alice.call('DELETE', `/api/containers/${vmid}?force=true`, {
      headers: { prefer: 'wait=20' },
    });
    const former = (query: string, client = alice) =>
      get(`history?instance=${instance}${query}`, client);
    const whole = (await former('&limit=200')).body;
    const pages = [(await former('&limit=4')).body];
    for (let page = pages[0]; page.nextBefore !== null; pages.push(page)) {
      page = (await former(`&limit=4&before=${page.nextBefore}`)).body;
    }

    expect(removed.body.result).toBe('deleted');
    expect(pages.flatMap(({ entries }) => entries)).toEqual(whole.entries);
    const { entries } = whole;
    expect(entries.map(({ revision }: { revision: number }) => revision)).toEqual(
      entries.map((_: unknown, index: number) => entries.length - index),
    );
    expect(entries.at(-1)).toMatchObject({
      ...first.entries[0],
      type: 'instance.created',
      moved: expect.arrayContaining(['provisioning', 'agent', 'host', 'recovery']),
    });
    expect(entries[0].regions.provisioning).toBe('deleted');
    const cloned = entries.find(({ type }: { type: string }) => type === 'container.cloned');
    expect(cloned).toMatchObject({
      event: { node: expect.any(String) },
      regions: { provisioning: 'configuring.performing', host: 'stopped' },
    });
    expect(new Set(cloned.moved)).toEqual(new Set(['provisioning', 'host']));
    expect(JSON.stringify(entries)).not.toContain('"opId"');
    const { cause } = regionOf(why, 'provisioning');
    expect(entries).toContainEqual(expect.objectContaining(cause));
    expect(cause.type).toBe('agent.observed');

    // Another node has ended it: this one hears of that a moment after who waited for it.
    await until(async () => (await get('history')).status === 404, {
      what: 'the end to be heard of',
    });
    expect((await get('why')).status).toBe(404);
    expect((await former('', bob)).status).toBe(404);
    expect((await former('', admin)).body.entries).toHaveLength(entries.length);
    expect((await get('history?instance=nobody')).status).toBe(404);
    expect((await get('history?limit=0')).body.error).toBe('invalid_input');
  });
});
