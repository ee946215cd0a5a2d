import { afterAll, describe, expect, test } from 'vitest';

import { BOB } from '../support/app.ts';
import { until } from '../support/until.ts';
import { startConsoleWorld } from './console-world.ts';

const t = await startConsoleWorld();
afterAll(() => t[Symbol.asyncDispose]());

const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => `line ${from + index}`);

describe('a viewer', () => {
  test('is told which log it is and its last lines, and then each line once', async () => {
    const vmid = await t.create();
    t.agent.say('before');
    const viewer = await t.open(vmid);
    await viewer.saw('before');
    t.agent.say('after');
    await viewer.saw('after');

    const [hello] = viewer.of('hello');
    expect(hello).toMatchObject({ epoch: expect.stringMatching(/^[\w-]+$/), from: 0 });
    expect(viewer.lines).toEqual(t.agent.log());
  });

  test('shares the one connection to the agent with all who look at the same console', async () => {
    const vmid = await t.create();
    const before = t.agent.seen.upgrades.length;
    const viewers = await Promise.all(Array.from({ length: 20 }, () => t.open(vmid)));
    t.agent.say('for all');
    await Promise.all(viewers.map((viewer) => viewer.saw('for all')));

    expect(t.agent.seen.upgrades.length - before).toBe(1);
  });

  test('goes on where it stopped, without gap and without repeat', async () => {
    const vmid = await t.create();
    const first = await t.open(vmid);
    t.agent.say('one', 'two');
    await first.saw('two');
    await first.close();
    t.agent.say('three');
    const from = (first.lines.at(-1)?.[0] ?? 0) + 1;
    const second = await t.open(vmid, { query: { from } });
    t.agent.say('four');
    await second.saw('four');

    expect([...first.lines, ...second.lines]).toEqual(t.agent.log());
  });

  test('gets from the log of the agent what this node does not keep', async () => {
    const vmid = await t.create();
    t.agent.say(...numbered(0, 1_500));
    const viewer = await t.open(vmid, { query: { from: 0 } });
    await viewer.saw('line 1499');

    expect(viewer.lines).toEqual(t.agent.log());
    expect(viewer.of('gap')).toEqual([]);
    expect(t.agent.seen.pages.length).toBeGreaterThan(0);
  });

  test('of another log begins anew, and can tell that it has', async () => {
    const vmid = await t.create();
    const viewer = await t.open(vmid, { query: { from: 7, epoch: 'former' } });
    const { epoch, from } = await viewer.got('hello');

    expect(epoch).not.toBe('former');
    expect(from).toBeGreaterThan(7);
  });

  test('sees the same through a restart of the agent', async () => {
    const vmid = await t.create();
    const viewer = await t.open(vmid);
    t.agent.say('before the restart');
    await viewer.saw('before the restart');
    await t.agent.stop();
    await viewer.got('notice');
    await t.agent.start();
    t.agent.say('after the restart');
    await viewer.saw('after the restart');

    expect(viewer.of('notice').map(({ agent }) => agent)).toEqual(['away', 'back']);
    expect(viewer.lines).toEqual(t.agent.log().slice(-viewer.lines.length));
    expect(viewer.of('hello')).toHaveLength(1);
  });

  test('without the protocol sees bare lines, and types them', async () => {
    const vmid = await t.create();
    const viewer = await t.open(vmid, { isPlain: true });
    t.agent.say('bare');
    await viewer.saw('bare');
    viewer.send('say hello\r\n');
    await until(() => t.agent.commands.some(({ command }) => command === 'say hello'), {
      what: 'the command',
    });

    expect(viewer.socket.protocol).toBe('');
    expect(viewer.texts).not.toContain('');
  });
});

describe('a command', () => {
  test('is acknowledged by its id, in the order in which it came', async () => {
    const vmid = await t.create();
    const viewer = await t.open(vmid);
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) viewer.send({ type: 'command', id, text: `order ${id}` });
    await viewer.got('ack', 4);

    expect(viewer.of('ack')).toEqual(ids.map((id) => ({ type: 'ack', id, ok: true })));
    const typed = t.agent.commands.map(({ command }) => command);
    expect(typed.filter((one) => one.startsWith('order'))).toEqual(ids.map((id) => `order ${id}`));
  });

  test('that is sent again with its id is typed once, also by HTTP, and acknowledged again', async () => {
    const vmid = await t.create();
    const viewer = await t.open(vmid);
    viewer.send({ type: 'command', id: 'same', text: 'twice' });
    viewer.send({ type: 'command', id: 'same', text: 'twice' });
    await viewer.got('ack', 2);
    const body = { command: 'twice', id: 'same' };
    const answer = await t.alice.call('POST', `/api/servers/${vmid}/console/command`, { body });

    expect(answer.status).toBe(202);
    expect(t.agent.commands.filter(({ command }) => command === 'twice')).toHaveLength(1);
  });

  test('that the agent refuses is acknowledged with why, and may be sent again', async () => {
    const vmid = await t.create();
    const viewer = await t.open(vmid);
    t.agent.answers.commandStatus = 409;
    viewer.send({ type: 'command', id: 'r-1', text: 'refused' });
    const refused = await viewer.got('ack');
    t.agent.answers.commandStatus = 200;
    viewer.send({ type: 'command', id: 'r-1', text: 'refused' });
    const done = await viewer.got('ack', 2);

    expect(refused).toMatchObject({ id: 'r-1', ok: false, error: 'agent_refused' });
    expect(done).toEqual({ type: 'ack', id: 'r-1', ok: true });
  });

  test.each([
    ['no JSON', 'list', /command/],
    ['no id', { type: 'command', text: 'list' }, /id/],
    ['two lines', { type: 'command', id: 'x', text: 'list\nstop' }, /control characters/],
    ['nothing', { type: 'command', id: 'x', text: ' ' }, /text/],
    ['too much', { type: 'command', id: 'x', text: 'x'.repeat(1_001) }, /text/],
  ])('of %s is refused, and the console goes on', async (_, frame, detail) => {
    const vmid = await t.create();
    const viewer = await t.open(vmid);
    viewer.send(frame);
    const error = await viewer.got('error');

    expect(error).toMatchObject({ error: 'invalid_input', detail: expect.stringMatching(detail) });
    expect(viewer.closed()).toBeUndefined();
  });

  test('too many at once are refused, with when to try again', async () => {
    const vmid = await t.create();
    const viewer = await t.open(vmid);
    for (let n = 0; n < 30; n += 1) viewer.send({ type: 'command', id: `n-${n}`, text: 'many' });
    await viewer.got('ack', 30);

    const refused = viewer.of('ack').filter(({ ok }) => !ok);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ error: 'limit_exceeded', retryAfterS: 1 });
  });
});

test("what goes to the agent is ours alone: neither the caller's token, nor cookies, nor where it came from", async () => {
  const vmid = await t.create();
  const headers = { cookie: 'portal=1', 'x-forwarded-for': '192.0.2.1' };
  const viewer = await t.open(vmid, { headers });
  await viewer.got('hello');

  const sent = t.agent.seen.upgrades.at(-1)?.headers ?? {};
  expect(sent.authorization).toBe(`Bearer ${t.agent.token}`);
  expect(sent.cookie).toBeUndefined();
  expect(sent['x-forwarded-for']).toBeUndefined();
});

test('whoever watches this node sees how many look at consoles', async () => {
  const vmid = await t.create();
  const viewer = await t.open(vmid);
  await viewer.got('hello');
  const [viewers, live] = [
    await t.metric('zpack_console_viewers'),
    await t.metric('zpack_console_upstreams{state="live"}'),
  ];

  expect(viewers).toBeGreaterThan(0);
  expect(live).toBeGreaterThan(0);
});

test("somebody else's console is nobody's, also for commands and tickets", async () => {
  const vmid = await t.create();
  const bob = await t.app.signIn(BOB);
  const body = { command: 'list' };
  const answers = [
    await bob.call('POST', `/api/servers/${vmid}/console/command`, { body }),
    await bob.call('POST', `/api/servers/${vmid}/console/ticket`),
  ];

  expect(answers.map(({ status }) => status)).toEqual([404, 404]);
});
