import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { DEV, MINECRAFT, openConsole, setUp, TERRARIA } from './agent-world.ts';

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

    // Side by side: a game that is quick to come up must not be on before the second has come.
    const [first, again] = await Promise.all([
      t.agent.configure(TERRARIA),
      t.agent.configure(reordered),
    ]);
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
    // Slow enough that a busy machine looks at each of them at least once.
    await using t = await setUp({ stepMs: 300 });
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
