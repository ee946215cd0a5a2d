import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';

import { describe, expect, test } from 'vitest';

import { joinMinecraft, pingMinecraftAt } from '../../lab/velocity/player.ts';
import { until } from '../support/until.ts';
import { MINECRAFT, NOTHING, startReachableApp, TERRARIA } from './edge-world.ts';

const TIMEOUT = { timeout: 90_000 };
const VALHEIM = { ...TERRARIA, game: 'valheim', version: '0.217.46' };

const isConnectable = ({ connection }: { connection: { verdict: string } }) =>
  connection.verdict === 'connectable';
const isPublished = ({ edge }: { edge: { state: string } }) => edge.state === 'published';

async function overTcp(port: number, line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write(`${line}\n`);
    const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
    return String(answer);
  } finally {
    socket.destroy();
  }
}

async function overUdp(port: number, line: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.send(line, port, '127.0.0.1');
    const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(5_000) });
    return String(answer);
  } finally {
    socket.close();
  }
}

describe.concurrent('whoever is outside', () => {
  test('joins a Minecraft server by its name, until it is deleted', TIMEOUT, async () => {
    await using t = await startReachableApp();
    const vmid = await t.order(MINECRAFT);
    const status = await t.statusWhen(
      vmid,
      (one) => isConnectable(one) && isPublished(one) && one.proxy.state === 'ping_ok',
      'a way in',
    );
    const { name } = status;
    const [internal, open] = [`${name}.zpack.internal`, `${name}.zpack.example`];
    const door = { host: '127.0.0.1', port: t.edge.velocity.gamePort, hostname: open };

    const pong = await pingMinecraftAt(door);
    const player = await joinMinecraft({ ...door, version: '1.20.4', username: 'guest' });
    player.say('hello');
    await until(async () => player.chat().some((line) => line.includes('hello')), {
      what: 'the chat',
    });
    await player[Symbol.asyncDispose]();
    const before = t.traces(name);
    await t.remove(vmid);

    expect(pong.version.name).toContain('1.20');
    expect(status.connection.hops.map(({ hop, state }: Hop) => `${hop} ${state}`)).toEqual([
      'edge ok',
      'velocity ok',
      'ping ok',
      'agent ok',
    ]);
    expect(status.proxy).toMatchObject({
      source: 'velocity',
      status: 'proxy_ping_ok',
      serverName: name,
      address: status.ip,
      port: 25_565,
      latencyMs: expect.any(Number),
    });
    expect(before).toEqual({
      cloudflare: [`A ${open}`, `SRV _minecraft._tcp.${open}`],
      technitium: [`A ${internal}`, `SRV _minecraft._tcp.${internal}`],
      opnsense: [],
      velocity: [name],
    });
    expect(t.traces(name)).toEqual(NOTHING);
    expect(await t.debts()).toEqual([]);
    const late = joinMinecraft({ ...door, version: '1.20.4', username: 'late' });
    await expect(late).rejects.toThrow('no server');
  });

  test('reaches other games through the router, each by a port of its own', TIMEOUT, async () => {
    await using t = await startReachableApp();
    const orders = [TERRARIA, TERRARIA, VALHEIM];
    const vmids = await Promise.all(orders.map((order) => t.order(order)));
    const all = await Promise.all(
      vmids.map((vmid) => t.statusWhen(vmid, isPublished, 'its publication')),
    );
    const ports = all.map(({ edge }) => edge.targets[0].port as number);

    const answers = [
      await overTcp(ports[0] ?? 0, 'one'),
      await overTcp(ports[1] ?? 0, 'two'),
      await overUdp(ports[2] ?? 0, 'three'),
    ];
    const kinds = all[0].edge.targets.map(({ kind }: { kind: string }) => kind);
    const before = all.map(({ name }) => t.traces(name).opnsense.length);
    await Promise.all(vmids.map((vmid) => t.remove(vmid)));

    expect(answers).toEqual(['terraria one\n', 'terraria two\n', 'valheim three\n']);
    expect(new Set(ports).size).toBe(3);
    expect(kinds).toEqual(['router', 'forward', 'internal_dns', 'public_dns']);
    expect(before).toEqual([1, 1, 1]);
    for (const { name } of all) expect(t.traces(name)).toEqual(NOTHING);
    await expect(overTcp(ports[0] ?? 0, 'x')).rejects.toThrow();
    const { rows } = await t.app.database.pool.query('SELECT * FROM edge_port');
    expect(rows).toEqual([]);
    expect(t.edge.router.problems()).toEqual([]);
  });
});

interface Hop {
  readonly hop: string;
  readonly state: string;
}

describe.concurrent('what leads to a server', () => {
  test('is back after the bridge has forgotten it, within one comparison', TIMEOUT, async () => {
    await using t = await startReachableApp();
    const vmids = await Promise.all([t.order(MINECRAFT), t.order(MINECRAFT)]);
    for (const vmid of vmids) await t.statusWhen(vmid, isConnectable, 'a way in');
    t.edge.velocity.restart();
    const lost = t.edge.velocity.servers().length;
    const from = performance.now();
    await until(async () => t.edge.velocity.servers().length === vmids.length, {
      what: 'the registrations',
    });
    const tookMs = performance.now() - from;

    console.log(`${vmids.length} registrations were back after ${Math.round(tookMs)} ms`);
    expect(lost).toBe(0);
    for (const vmid of vmids) {
      const { proxy } = await t.statusWhen(vmid, isConnectable, 'a way in again');
      expect(proxy.forgotten).toBe(1);
    }
    const { rows } = await t.app.database.pool.query(
      `SELECT vmid FROM journal WHERE event ->> 'type' = 'proxy.observed'`,
    );
    expect(rows.length).toBe(vmids.length);
  });

  test('keeps its name while it is off, and follows it to where it starts', TIMEOUT, async () => {
    await using t = await startReachableApp();
    const vmid = await t.order(MINECRAFT);
    const { name } = await t.statusWhen(
      vmid,
      (one) => isConnectable(one) && isPublished(one),
      'it',
    );
    const records = t.traces(name);
    const power = (verb: string) =>
      t.alice.call('POST', `/api/servers/${vmid}/host/${verb}`, { headers: { prefer: 'wait=20' } });

    await power('stop');
    const off = await t.statusWhen(vmid, ({ hostStatus }) => hostStatus === 'stopped', 'its stop');
    expect(off.connection.verdict).toBe('backend_unreachable');
    expect(off.edge.state).toBe('published');
    expect(t.traces(name)).toEqual(records);
    await power('start');
    const on = await t.statusWhen(vmid, isConnectable, 'a way in again');

    expect(on.proxy.address).toBe(on.ip);
    expect(t.edge.velocity.servers()).toMatchObject([{ name, address: on.ip }]);
    expect(t.traces(name)).toEqual(records);
  });
});
