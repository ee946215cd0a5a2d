import { afterAll, describe, expect, test } from 'vitest';

import { writeFaults } from '../../lab/agent/faults.ts';
import { ALICE, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp({ environment: { AGENT_TIMEOUT_MS: '500', HOST_SWEEP_MS: '500' } });
afterAll(() => app[Symbol.asyncDispose]());
const alice = await app.signIn(ALICE);

const WAIT = { prefer: 'wait=20' };

async function create(order: object = {}): Promise<number> {
  const game = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
  const body = { ...game, ...order };
  return (await alice.call('POST', '/api/instances', { body, headers: WAIT })).body.vmid;
}
const game = (vmid: number, verb: string) =>
  alice.call('POST', `/api/servers/${vmid}/game/${verb}`);
const command = (vmid: number, body: unknown) =>
  alice.call('POST', `/api/servers/${vmid}/console/command`, { body });
const rootfs = (vmid: number) =>
  app.proxmox.containers().find((one) => one.vmid === vmid)?.rootfs ?? '';

async function agentState(vmid: number): Promise<string> {
  const { ip } = (await alice.call('GET', `/api/servers/${vmid}`)).body.server;
  const response = await fetch(`http://${ip}:18888/status`);
  return ((await response.json()) as { state: string }).state;
}

describe('the game inside', () => {
  test('is stopped and started by its agent, while the container stays on', async () => {
    const vmid = await create();

    const stop = await game(vmid, 'stop');
    const stopped = await agentState(vmid);
    const start = await game(vmid, 'start');
    await until(async () => (await agentState(vmid)) === 'running', { what: 'the game to run' });
    const restart = await game(vmid, 'restart');

    expect([stop, start, restart].map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(stopped).toBe('stopped');
    const { body } = await alice.call('GET', `/api/servers/${vmid}/host/status`);
    expect(body).toMatchObject({ hostStatus: 'running', operation: { requestedBy: ALICE } });
  });

  test('hears what is typed into its console', async () => {
    const vmid = await create();

    expect(await command(vmid, { command: 'say hello' })).toMatchObject({
      status: 202,
      body: { ok: true },
    });
    expect(await command(vmid, { command: ' ' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_input', errors: [{ field: 'body.command' }] },
    });
  });

  test('says no through its agent, which is a problem with the agent in it', async () => {
    const vmid = await create();
    await game(vmid, 'stop');

    const answer = await command(vmid, { command: 'say hello' });

    expect(answer).toMatchObject({
      status: 409,
      body: { error: 'agent_refused', agentError: expect.any(String) },
    });
  });

  test('of an agent that does not answer is a failure of that agent, in bounded time', async () => {
    const vmid = await create();
    writeFaults(rootfs(vmid), { answers: { '/stop': 'hang' } });

    expect(await game(vmid, 'stop')).toMatchObject({
      status: 502,
      body: { error: 'upstream_failed' },
    });
  });

  test('cannot be reached while the container is off, which is said', async () => {
    const vmid = await create();
    await alice.call('POST', `/api/servers/${vmid}/host/stop`, { headers: WAIT });

    expect(await game(vmid, 'start')).toMatchObject({
      status: 409,
      body: { error: 'host_not_running', hostStatus: 'stopped' },
    });
  });

  test('of a container that is gone is not said to be merely off', async () => {
    const vmid = await create();
    await app.proxmox.vanish(vmid);

    const answer = await until(
      async () => {
        const { status, body } = await game(vmid, 'start');
        return status === 409 && body;
      },
      { what: 'the container to be missed' },
    );

    expect(answer).toMatchObject({ error: 'refused', reason: 'container_absent' });
  });

  test('of a dev container does not exist', async () => {
    const vmid = await create({ ctype: 'dev', runtime: 'node', version: '24' });

    expect(await game(vmid, 'start')).toMatchObject({
      status: 409,
      body: { error: 'refused', reason: 'not_a_game' },
    });
  });
});
