import { afterAll, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { RESET, RESTORED, startMailsWorld } from './mails-world.ts';

const world = await startMailsWorld();
afterAll(() => world[Symbol.asyncDispose]());

/** What may have been taken is never sent again, unless whoever gets it recognizes it. */

test('a mail whose answer is lost is uncertain, and stays so', async () => {
  await using t = await world.setUp();
  const node = t.createNode({ by: ['smtp', 'resend'] });
  const fault = t.smtp.faults.plan({ kind: 'drop_after' });
  const id = await t.queue(RESTORED);

  await node.send(id);
  await t.pass();
  const found = await node.sweep();
  await node.send(id);

  expect(fault.fired).toBe(1);
  expect(found).toEqual([]);
  expect(await t.row(id)).toMatchObject({ state: 'uncertain', error: 'smtp: maybe_taken' });
  expect(t.smtp.mails()).toHaveLength(1);
  expect(t.resend.mails()).toEqual([]);
});

test('Resend is given again what it may have taken, and takes it once', async () => {
  await using t = await world.setUp();
  const node = t.createNode({ by: ['smtp', 'resend'] });
  const dropped = t.smtp.faults.plan({ kind: 'drop_before' });
  const lost = t.resend.faults.plan({ kind: 'drop_after', method: 'POST', path: /emails/ });
  const id = await t.queue(RESET);

  await node.send(id);
  const uncertain = await t.row(id);
  await t.pass();
  await node.send(id);

  expect([dropped.fired, lost.fired]).toEqual([1, 1]);
  expect(uncertain).toMatchObject({
    ...{ state: 'queued', transport: 'resend', error: 'smtp: not_connected, resend: answer_lost' },
  });
  expect(await t.row(id)).toMatchObject({ state: 'sent', transport: 'resend', attempts: 2 });
  expect(t.resend.mails()).toHaveLength(1);
  expect(t.smtp.mails()).toEqual([]);
});

test('if Resend never says, the mail is uncertain in the end, and not failed', async () => {
  await using t = await world.setUp();
  const node = t.createNode({ by: ['resend'] });
  const fault = t.resend.faults.plan({
    ...{ kind: 'drop_after', method: 'POST', path: /emails/, times: 9 },
  });
  const id = await t.queue(RESTORED);

  for (let attempt = 1; attempt <= 7; attempt += 1) {
    await t.pass();
    await node.send(id);
  }

  expect(fault.fired).toBe(6);
  expect(await t.row(id)).toMatchObject({ state: 'uncertain', error: 'resend: answer_lost' });
  expect(t.resend.mails()).toHaveLength(1);
});

test('a worker that is killed before the message leaves is succeeded, and it arrives once', async () => {
  await using t = await world.setUp();
  const fault = t.smtp.faults.plan({ kind: 'hang_before' });
  const id = await t.queue(RESTORED);
  const worker = t.startProcess(id);
  await until(() => fault.fired === 1, { what: 'the mail to be begun', timeoutMs: 15_000 });

  const signal = await worker.kill();
  const node = t.createNode();
  const tooEarly = await node.sweep();
  await t.pass();
  const found = await node.sweep();
  await node.send(id);

  expect(signal).toBe('SIGKILL');
  expect([tooEarly, found]).toEqual([[], [id]]);
  expect(await t.row(id)).toMatchObject({ state: 'sent', attempts: 2 });
  expect(t.smtp.mails()).toHaveLength(1);
});

test('one that is killed when the message has left leaves it uncertain, and it arrived once', async () => {
  await using t = await world.setUp();
  const fault = t.smtp.faults.plan({ kind: 'hang_after' });
  const id = await t.queue(RESTORED);
  const worker = t.startProcess(id);
  await until(() => fault.fired === 1, { what: 'the mail to be taken', timeoutMs: 15_000 });

  const signal = await worker.kill();
  await t.pass();
  const node = t.createNode({ by: ['smtp', 'resend'] });
  const found = await node.sweep();
  await node.send(id);

  expect(signal).toBe('SIGKILL');
  expect(found).toEqual([]);
  expect(await t.row(id)).toMatchObject({ state: 'uncertain', error: 'worker_lost', attempts: 1 });
  expect(t.smtp.mails()).toHaveLength(1);
  expect(t.resend.mails()).toEqual([]);
});

test('one that was taken for dead sends nothing any more', async () => {
  await using t = await world.setUp();
  const slow = t.createNode({ leaseMs: 1 });
  const id = await t.queue(RESTORED);

  await slow.send(id);
  const nothing = t.smtp.mails().length;
  const found = await slow.sweep();
  await t.createNode().send(id);

  expect([nothing, found]).toEqual([0, [id]]);
  expect(t.smtp.envelopes()).toBe(2);
  expect(t.smtp.mails()).toHaveLength(1);
});

test('mails of dead workers end, too', async () => {
  await using t = await world.setUp();
  const node = t.createNode({ by: ['smtp', 'resend'] });
  const states = [];
  for (const transport of [null, 'smtp', 'resend']) {
    const id = await t.queue(RESTORED);
    await t.rows(
      `UPDATE mail SET state = 'sending', attempts = 6, leased_until = now() - interval '1 s',
         transport = $2 WHERE id = $1`,
      [id, transport],
    );
    states.push(id);
  }

  const found = await node.sweep();

  expect(found).toEqual([]);
  const rows = await Promise.all(states.map((id) => t.row(id)));
  expect(rows.map(({ state }) => state)).toEqual(['failed', 'uncertain', 'uncertain']);
});
