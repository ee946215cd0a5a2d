import { expect, test } from 'vitest';

import { createAgentClient } from '../../src/clients/agent/client.ts';
import { buildAgentPayload } from '../../src/clients/agent/payload.ts';
import { until } from '../support/until.ts';
import { startWorld } from './proxmox-world.ts';

const world = startWorld();

test('the agent of a fresh container is found, ordered to install, and becomes ready', async () => {
  const place = await world.clone();
  await world.finished(world.client.startContainer(place));
  await using agent = createAgentClient({ port: 18_888, timeoutMs: 2_000 });
  const ip = await until(async () => (await world.client.listAddresses(place))[0], {
    what: 'an address',
    timeoutMs: 10_000,
  });
  await until(async () => (await agent.health(ip)).alive, { what: 'the agent', timeoutMs: 10_000 });
  const before = await agent.status(ip);
  const readyBefore = await agent.ready(ip);

  const order = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 } as const;
  await agent.configure(ip, buildAgentPayload({ ...order, vmid: place.vmid }));
  await until(async () => (await agent.ready(ip)).ready, { what: 'ready', timeoutMs: 10_000 });

  expect(before).toMatchObject({ state: 'idle' });
  expect(readyBefore).toMatchObject({ ready: false, reason: expect.any(String) });
  expect(await agent.status(ip)).toMatchObject({ state: 'running' });
  const nonsense = buildAgentPayload({ ...order, vmid: -1 });
  await expect(agent.configure(ip, nonsense)).rejects.toMatchObject({
    reason: 'agent_refused',
    retryable: false,
    details: { agentError: 'invalid_payload' },
  });
});
