import { afterAll, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ALICE, RESET, RESTORED, startMailsWorld, TOKEN } from './mails-world.ts';

const world = await startMailsWorld();
afterAll(() => world[Symbol.asyncDispose]());

test('a mail is queued once under its key, and sent with a link that is kept nowhere', async () => {
  await using t = await world.setUp();
  const order = { ...RESET, key: 'reset/1', recipient: ALICE };
  const id = (await t.mails.queue(order)) ?? '';
  const again = await t.mails.queue(order);

  await t.createNode().send(id);

  const [mail] = t.smtp.mails();
  expect(again).toBeNull();
  expect(mail?.to).toEqual([ALICE]);
  expect(mail?.text).toContain(`https://portal.test/reset-password?token=${TOKEN}`);
  expect(mail?.html).toContain(`https://portal.test/reset-password?token=${TOKEN}`);
  const row = await t.row(id);
  expect(row).toMatchObject({
    ...{ state: 'sent', attempts: 1, transport: 'smtp', error: null, leased_until: null },
    ...{ message_id: `<${id}@zerolaghub.com>`, finished_at: expect.any(Date) },
  });
  expect(JSON.stringify(row)).not.toContain(TOKEN);
});

test.each([
  ['at the same time', (ways: (() => Promise<void>)[]) => Promise.all(ways.map((way) => way()))],
  [
    'one after the other',
    async ([one, two]: (() => Promise<void>)[]) => {
      await one?.();
      await two?.();
    },
  ],
])('performed twice, %s, a mail is sent once', async (_, twice) => {
  await using t = await world.setUp();
  const id = await t.queue(RESTORED);
  const nodes = [t.createNode(), t.createNode()];

  await twice(nodes.map((node) => () => node.send(id)));
  await nodes[0]?.send(id);

  expect(t.smtp.mails()).toHaveLength(1);
  expect(await t.row(id)).toMatchObject({ state: 'sent', attempts: 1 });
});

test('nothing is sent where there is no account, or to what is no address', async () => {
  await using t = await world.setUp();
  const node = t.createNode();
  const unknown = await t.queue(RESET, 'nobody@zpack.test');
  const noAddress = await t.queue(RESTORED, 'alice@zpack.test, eve@zpack.test');

  await node.send(unknown);
  await node.send(noAddress);

  expect(await t.row(unknown)).toMatchObject({ state: 'void', error: null });
  expect(await t.row(noAddress)).toMatchObject({ state: 'failed', error: 'recipient_invalid' });
  expect(t.smtp.envelopes()).toBe(0);
});

test('what is refused for now is tried again after a pause, found by the sweep', async () => {
  await using t = await world.setUp();
  const node = t.createNode();
  const fault = t.smtp.faults.plan({ kind: 'refuse_recipient', code: 451, text: '4.7.1 later' });
  const id = await t.queue(RESET);
  const lost = await node.sweep();

  await node.send(id);
  const refused = await t.row(id);
  await node.send(id);
  const early = await node.sweep();
  await t.pass();
  const late = await node.sweep();
  await node.send(id);

  expect(fault.fired).toBe(1);
  expect(refused).toMatchObject({
    ...{ state: 'queued', attempts: 1, transport: null, error: 'smtp: refused_for_now 451 4.7.1' },
  });
  expect(refused.due_at.getTime()).toBeGreaterThan(refused.created_at.getTime() + 10_000);
  expect([lost, early, late]).toEqual([[id], [], [id]]);
  expect(await t.row(id)).toMatchObject({ state: 'sent', attempts: 2, error: null });
  expect(t.smtp.mails()).toHaveLength(1);
});

test('after six attempts within little more than an hour it has failed', async () => {
  await using t = await world.setUp();
  const node = t.createNode();
  const fault = t.smtp.faults.plan({ kind: 'drop_before', times: 9 });
  const id = await t.queue(RESTORED);
  const pausesS: number[] = [];

  for (let attempt = 1; attempt <= 8; attempt += 1) {
    await t.pass();
    const startMs = Date.now();
    await node.send(id);
    const { state, due_at } = await t.row(id);
    if (state === 'queued') pausesS.push(Math.round((due_at.getTime() - startMs) / 5_000) * 5);
  }

  expect(pausesS).toEqual([15, 60, 240, 900, 2_400]);
  expect(fault.fired).toBe(6);
  expect(await t.row(id)).toMatchObject({
    ...{ state: 'failed', attempts: 6, error: 'smtp: not_connected' },
  });
});

test('an address that mail comes back from is noted, until a mail gets there again', async () => {
  await using t = await world.setUp();
  const node = t.createNode();
  t.smtp.faults.plan({ kind: 'refuse_recipient', code: 550, text: '5.1.1 nobody', to: /^alice/i });
  const bounced = await t.queue(RESTORED, 'Alice@zpack.test');
  await node.send(bounced);
  const notedAt = await t.bouncedAt();
  const other = await t.queue(RESTORED, 'bob@zpack.test');
  await node.send(other);
  const stillAt = await t.bouncedAt();

  const id = await t.queue(RESTORED);
  await node.send(id);

  expect(await t.row(bounced)).toMatchObject({
    ...{ state: 'bounced', attempts: 1, error: 'smtp: recipient_refused 550 5.1.1' },
  });
  expect(notedAt).toBeInstanceOf(Date);
  expect(stillAt).toEqual(notedAt);
  expect(await t.bouncedAt()).toBeNull();
});

test('without any transport a mail has failed, visibly', async () => {
  await using t = await world.setUp();
  const id = await t.queue(RESTORED);

  await t.createNode({ by: [] }).send(id);

  expect(await t.row(id)).toMatchObject({ state: 'failed', error: 'not_configured' });
});

test('what another release queued waits for it', async () => {
  await using t = await world.setUp();
  const id = await t.queue({ kind: 'birthday', params: {} } as never);

  await t.createNode().send(id);

  expect(await t.row(id)).toMatchObject({ state: 'queued', error: 'internal_error' });
});

test('an answer that quotes the mail brings no link into a log or a row', async () => {
  await using t = await world.setUp();
  const node = t.createNode();
  const quote = `5.7.1 bad link ?token=${TOKEN}`;
  const fault = t.smtp.faults.plan({ kind: 'refuse_message', code: 554, text: quote });
  const id = await t.queue(RESET);

  await node.send(id);

  expect(fault.fired).toBe(1);
  expect(t.logged).toHaveLength(1);
  expect(t.logged.join()).not.toContain(TOKEN);
  const row = await t.row(id);
  expect(row).toMatchObject({ state: 'failed', error: 'smtp: message_refused 554 5.7.1' });
  expect(JSON.stringify(row)).not.toContain(TOKEN);
});

test('a node that shuts down hands back what has not left', async () => {
  await using t = await world.setUp();
  const node = t.createNode();
  const fault = t.smtp.faults.plan({ kind: 'hang_before' });
  const id = await t.queue(RESTORED);
  const shutdown = new AbortController();

  const sending = node.send(id, shutdown.signal);
  await until(() => fault.fired === 1, { what: 'the mail to be begun' });
  shutdown.abort(new Error('this node shuts down'));
  await sending;
  const handedBack = await t.row(id);
  await t.createNode().send(id);

  expect(handedBack).toMatchObject({ state: 'queued', error: null, transport: null });
  expect(await t.row(id)).toMatchObject({ state: 'sent', attempts: 2 });
  expect(t.smtp.mails()).toHaveLength(1);
});

test('administrators see the latest first, page by page, by state', async () => {
  await using t = await world.setUp();
  for (const to of ['a', 'b', 'c']) await t.queue(RESTORED, `${to}@zpack.test`);
  await t.rows(`UPDATE mail SET state = 'failed' WHERE recipient = 'b@zpack.test'`);
  await t.rows(`UPDATE mail SET created_at = now()`);

  const first = await t.mails.list({ limit: 2 });
  const second = await t.mails.list({ limit: 2, after: first[1]?.id });
  const failed = await t.mails.list({ limit: 9, state: 'failed' });

  const seen = [...first, ...second].map(({ recipient }) => recipient.slice(0, 1));
  expect(seen.toSorted()).toEqual(['a', 'b', 'c']);
  expect(failed).toMatchObject([{ recipient: 'b@zpack.test', state: 'failed' }]);
  expect(Object.keys(failed[0] ?? {})).not.toContain('params');
});
