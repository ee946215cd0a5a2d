import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { pingMinecraft } from '../../lab/minecraft-client.ts';
import { DEV, MINECRAFT, openConsole, setUp, TERRARIA } from './agent-world.ts';

describe('a game', () => {
  test.each([
    ['terraria', 7777, 'tcp_probe'],
    ['rust', 28_015, 'udp_probe'],
    ['projectzomboid', 16_261, 'udp_probe'],
    ['valheim', 2456, 'udp_probe'],
    ['palworld', 8211, 'udp_probe'],
  ])('%s listens on %i and is ready by %s', async (game, port, readySource) => {
    await using t = await setUp();

    await t.agent.configure({ ...TERRARIA, game });
    const status = await t.agent.reached('running');

    expect(status).toMatchObject({ port, crashCount: 0 });
    expect(await t.agent.ready()).toEqual({ status: 200, body: { ready: true, readySource } });
  });

  test('that breaks down is counted, and started again only when asked', async () => {
    await using t = await setUp();
    await t.agent.configure({ ...TERRARIA, ports: [7999] });
    await t.agent.reached('running');

    await t.agent.send('POST', '/console/command', { command: 'crash' });
    const crashed = await t.agent.reached('crashed');
    const unready = await t.agent.ready();
    const command = await t.agent.send('POST', '/console/command', { command: 'hello' });
    await t.agent.send('POST', '/start');
    const running = await t.agent.reached('running');

    expect(crashed).toMatchObject({ crashCount: 1, error: expect.stringContaining('ended') });
    expect(unready.status).toBe(503);
    expect(command).toMatchObject({ status: 409, body: { error: 'not_running' } });
    expect(running).toMatchObject({ crashCount: 1, port: 7999 });
    expect(running.error).toBeUndefined();
  });

  test('is stopped, started and restarted; nothing is, before there is one', async () => {
    await using t = await setUp();
    const early = await t.agent.send('POST', '/start');
    await t.agent.configure(TERRARIA);
    await t.agent.reached('running');

    const stopped = await t.agent.send('POST', '/stop');
    const twice = await t.agent.send('POST', '/stop');
    const started = await t.agent.send('POST', '/start');
    await t.agent.reached('running');
    const restarted = await t.agent.send('POST', '/restart');
    await t.agent.reached('running');

    expect(early).toMatchObject({ status: 409, body: { error: 'not_configured' } });
    expect(stopped).toMatchObject({ status: 200, body: { state: 'stopped' } });
    expect(twice.status).toBe(200);
    expect(started).toMatchObject({ status: 202, body: { state: 'starting' } });
    expect(restarted.status).toBe(202);
    expect((await t.agent.status()).crashCount).toBe(0);
  });

  test('runs again after a restart of the agent, and a half done installation is finished', async () => {
    await using t = await setUp({ stepMs: 300 });
    await t.agent.configure(TERRARIA);

    await t.restart();
    const resumed = (await t.agent.status()).state;
    await t.agent.reached('running');
    await t.restart();
    await t.agent.reached('running');

    expect(resumed).toBe('installing');
    expect((await t.agent.configure(TERRARIA)).status).toBe(200);
  });
});

describe('a development container', () => {
  test('is ready when its runtime is there', async () => {
    await using t = await setUp();

    await t.agent.configure(DEV);
    await t.agent.reached('running');

    expect(await t.agent.ready()).toEqual({
      status: 200,
      body: { ready: true, readySource: 'runtime_check' },
    });
    expect(existsSync(join(t.root, 'opt', 'runtime-version'))).toBe(true);
  });
});

describe('minecraft', () => {
  test('is a real server: it answers a real client and keeps its world', {
    timeout: 120_000,
  }, async () => {
    await using t = await setUp();

    await t.agent.configure(MINECRAFT);
    const status = await t.agent.reached('running', 60_000);
    const ready = await t.agent.ready();
    const seen = await pingMinecraft(t.agent.host, 25_565);
    using console = await openConsole(t.agent);
    const seed = await console.said(/World seed/);
    console.send('/list');
    await console.said(/There are 0 of a max of 10 players/);
    await t.restart();
    await t.agent.reached('running', 60_000);
    using later = await openConsole(t.agent);
    const again = await later.said(/World seed/);

    expect(status).toMatchObject({ protocolVersion: 767, players: 0 });
    expect(ready.body).toEqual({ ready: true, readySource: 'minecraft_ping' });
    expect(seen).toMatchObject({ version: { name: '1.21.1', protocol: 767 } });
    expect(existsSync(join(t.root, 'srv', 'game', 'world', 'level.dat'))).toBe(true);
    expect(seedOf(again)).toBe(seedOf(seed));
  });

  test.each([
    ['1.16.5', 736],
    ['1.20.1', 765],
    ['1.21.8', 769],
  ])('version %s runs as its nearest relative', { timeout: 120_000 }, async (version, protocol) => {
    await using t = await setUp();
    const artifact_path = `minecraft/paper/${version}/server.jar`;

    await t.agent.configure({ ...MINECRAFT, version, artifact_path });

    expect(await t.agent.reached('running', 60_000)).toMatchObject({ protocolVersion: protocol });
  });
});

function seedOf(line: string): string | undefined {
  return /seed: (-?\d+)/.exec(line)?.[1];
}
