import { afterAll, describe, expect, test } from 'vitest';

import { ADMIN, ALICE, BOB, startTestApp } from '../support/app.ts';

const app = await startTestApp();
afterAll(() => app[Symbol.asyncDispose]());
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];

const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const create = (client: typeof alice, body: unknown, headers: Record<string, string> = {}) =>
  client.call('POST', '/api/instances', { body, headers });

describe('POST /api/instances', () => {
  test('answers at once where to look, and the server becomes ready', async () => {
    const created = await create(alice, ORDER);
    const { vmid, statusUrl } = created.body;

    expect(created.status).toBe(202);
    expect(created.headers.get('location')).toBe(statusUrl);
    expect(created.headers.get('retry-after')).toBe('2');
    expect(created.body).toMatchObject({
      ok: true,
      hostname: `terraria-${vmid}`,
      operation: { kind: 'create', state: 'running', step: 'cloning' },
    });
    await expect
      .poll(async () => (await alice.call('GET', statusUrl)).body.status, { timeout: 20_000 })
      .toBe('running');
  });

  test('waits for the outcome when asked to', async () => {
    const { status, body } = await create(alice, ORDER, { prefer: 'wait=20' });

    expect(status).toBe(200);
    expect(body.operation).toMatchObject({ state: 'succeeded', step: null, error: null });
  });

  test('names all mistakes at once', async () => {
    const { status, headers, body } = await create(alice, {
      ctype: 'game',
      game: 'Mine/../craft',
      version: '',
      memoryMiB: -1,
      ports: [70_000],
    });

    expect(status).toBe(400);
    expect(headers.get('content-type')).toMatch('application/problem+json');
    expect(body).toMatchObject({ error: 'invalid_input', status: 400 });
    const fields = body.errors.map(({ field }: { field: string }) => field);
    expect(fields.sort()).toEqual(['body.game', 'body.memoryMiB', 'body.ports.0', 'body.version']);
  });

  test.each(['container_type', 'containerType'])('understands %s', async (spelling) => {
    const { ctype, ...rest } = ORDER;

    expect((await create(alice, { ...rest, [spelling]: ctype })).status).toBe(202);
  });

  test('ignores whose it should be, except from an administrator', async () => {
    const mine = await create(alice, { ...ORDER, customerId: BOB });
    const given = await create(admin, { ...ORDER, customerId: BOB });

    const rows = async (client: typeof alice) =>
      (await client.call('GET', '/api/instances')).body.rows.map(
        ({ vmid }: { vmid: number }) => vmid,
      );
    expect(await rows(alice)).toContain(mine.body.vmid);
    expect(await rows(bob)).toEqual([given.body.vmid]);
    expect(await rows(admin)).toEqual(expect.arrayContaining([mine.body.vmid, given.body.vmid]));
  });

  test('with the same Idempotency-Key orders one server, however often it is asked', async () => {
    const ask = () => create(bob, ORDER, { 'idempotency-key': 'k-1' });

    const first = await ask();
    const again = await Promise.all([ask(), ask()]);
    const race = await Promise.all(
      [1, 2, 3].map(() => create(bob, ORDER, { 'idempotency-key': 'k-2' })),
    );
    const other = await create(bob, { ...ORDER, memoryMiB: 1024 }, { 'idempotency-key': 'k-1' });

    expect(again.map(({ body }) => body.vmid)).toEqual([first.body.vmid, first.body.vmid]);
    expect(again[0]?.headers.get('idempotent-replayed')).toBe('true');
    expect(new Set(race.map(({ body }) => body.vmid)).size).toBe(1);
    expect(other).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } });
  });

  test('skips a VMID that somebody uses by hand on Proxmox', async () => {
    const { vmid } = (await create(admin, ORDER)).body;
    const next = vmid + 1;
    app.proxmox.make(next);

    expect((await create(admin, ORDER)).body.vmid).toBe(next + 1);
  });
});

describe('a server', () => {
  test('of somebody else answers like one that does not exist', async () => {
    const { vmid } = (await create(alice, ORDER)).body;

    for (const [method, path] of [
      ['GET', `/api/servers/${vmid}`],
      ['GET', `/api/servers/${vmid}/status`],
      ['POST', `/api/servers/${vmid}/retry`],
      ['DELETE', `/api/containers/${vmid}?force=true`],
    ] as const) {
      const [theirs, nobodys] = [
        await bob.call(method, path),
        await bob.call(method, path.replace(String(vmid), '5998')),
      ];
      expect(theirs, path).toMatchObject({ status: 404, body: { error: 'not_found' } });
      expect(nobodys.body.title).toBe(theirs.body.title);
      expect((await app.anonymous.call(method, path)).status).toBe(401);
    }
    expect((await alice.call('GET', `/api/servers/${vmid}`)).body.server.id).toBe(String(vmid));
  });
});
