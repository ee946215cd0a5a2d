import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { pingMinecraft } from '../../lab/minecraft-client.ts';
import { until } from '../support/until.ts';
import { MINECRAFT, openConsole, setUp, TERRARIA } from './agent-world.ts';

const DEV = {
  vmid: 6001,
  container_type: 'dev',
  runtime: 'node',
  version: '24',
  memory_mb: 512,
};

describe('a payload', () => {
  test('is refused with all its mistakes at once', async () => {
    await using t = await setUp();

    const answer = await t.agent.configure({
      ...MINECRAFT,
      version: '1.8',
      world: '../../etc',
      ports: [70_000],
      memory_mb: 0,
      java_path: undefined,
    });

    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: 'invalid_payload' });
    const { details } = answer.body as { details: { path: string }[] };
    expect(details.map(({ path }) => path).sort()).toEqual([
      'java_path',
      'memory_mb',
      'ports.0',
      'version',
      'world',
    ]);
    expect((await t.agent.status()).state).toBe('idle');
  });

  test.each([
    [{ container_type: 'cloud' }, 'container_type'],
    [{ ...TERRARIA, game: 'chess' }, 'game'],
    [{ ...DEV, version: '' }, 'version'],
  ])('%j is refused for its %s', async (payload, path) => {
    await using t = await setUp();

    const answer = await t.agent.configure(payload);

    expect(answer).toMatchObject({ status: 400, body: { details: [{ path }] } });
  });

  test('is installed once, however often it comes, and no other is taken after it', async () => {
    await using t = await setUp();
    const reordered = Object.fromEntries(Object.entries(TERRARIA).reverse());

    const first = await t.agent.configure(TERRARIA);
    const again = await t.agent.configure(reordered);
    await t.agent.reached('running');
    using console = await openConsole(t.agent);
    const late = await t.agent.configure(TERRARIA);
    const other = await t.agent.configure({ ...TERRARIA, memory_mb: 1024 });
    await console.said(/listens/);

    expect([first.status, again.status, late.status, other.status]).toEqual([202, 202, 200, 409]);
    expect(other.body).toMatchObject({ error: 'already_configured' });
    expect(console.lines.filter((line) => line === '[agent] unpack')).toHaveLength(1);
  });

  test('walks visibly through its steps', async () => {
    await using t = await setUp({ stepMs: 60 });
    const seen = new Set<string | undefined>();

    const idle = await t.agent.ready();
    await t.agent.configure(TERRARIA);
    const during = await t.agent.ready();
    await until(
      async () => {
        const { state, installStep } = await t.agent.status();
        seen.add(installStep);
        return state === 'running';
      },
      { what: 'the end of the installation' },
    );

    expect(idle).toEqual({ status: 503, body: { ready: false, reason: 'the state is idle' } });
    expect(during).toMatchObject({ status: 503, body: { ready: false } });
    expect([...seen]).toEqual(
      expect.arrayContaining(['download_artifact', 'unpack', 'configure', undefined]),
    );
  });
});

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

describe('the console', () => {
  test('sends its lines out and takes commands in', async () => {
    await using t = await setUp();
    await t.agent.configure(TERRARIA);
    await t.agent.reached('running');
    using console = await openConsole(t.agent);

    console.send('say hello');
    await console.said(/heard: say hello/);
    await t.agent.send('POST', '/console/command', { command: 'save' });
    await console.said(/heard: save/);

    expect(console.lines[0]).toBe('[agent] download_artifact');
  });

  test.each([
    ['GET', '/game/files'],
    ['POST', '/dev/codeserver/start'],
  ])('%s %s is for another day', async (method, path) => {
    await using t = await setUp();

    expect((await t.agent.send(method, path)).status).toBe(404);
  });
});

describe('a token', () => {
  test('is asked for everywhere but at the liveness check', async () => {
    await using t = await setUp({ token: 'secret' });

    const bare = await Promise.all(
      ['/health', '/ready', '/status'].map(
        async (path) => (await fetch(t.agent.url + path)).status,
      ),
    );
    const console = await openConsole(t.agent).catch(() => 'refused');

    expect(bare).toEqual([200, 401, 401]);
    expect(console).toBe('refused');
    expect((await t.agent.send('GET', '/status')).status).toBe(200);
  });
});

describe('planned faults', () => {
  test('an installation that fails says why, and is repeated when asked again', async () => {
    await using t = await setUp({ faults: { installFails: 'no space left', failStep: 'unpack' } });
    await t.agent.configure(TERRARIA);

    const failed = await t.agent.reached('error');
    t.setFaults({});
    const again = await t.agent.configure(TERRARIA);
    await t.agent.reached('running');

    expect(failed).toMatchObject({ error: 'no space left' });
    expect(again.status).toBe(202);
  });

  test('an artifact in the wrong place is not found', async () => {
    await using t = await setUp();

    await t.agent.configure({ ...MINECRAFT, artifact_path: 'minecraft/paper/server.jar' });

    expect((await t.agent.reached('error')).error).toContain('was not found');
  });

  test('a game may never get ready, answer late, or break down at once', async () => {
    await using t = await setUp({ faults: { neverReady: true, slowMs: 40 } });
    await t.agent.configure(TERRARIA);
    await t.agent.reached('running');

    const from = performance.now();
    const unready = await t.agent.ready();
    const tookMs = performance.now() - from;
    t.setFaults({ crashOnStart: true });
    await t.agent.send('POST', '/restart');
    const crashed = await t.agent.reached('crashed');

    expect(unready).toEqual({ status: 503, body: { ready: false, reason: 'still loading' } });
    expect(tookMs).toBeGreaterThanOrEqual(35);
    expect(crashed.crashCount).toBe(1);
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
