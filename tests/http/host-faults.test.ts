import { afterAll, describe, expect, test } from 'vitest';

import type { Fault } from '../../lab/proxmox/faults.ts';
import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { ALICE, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp({
  environment: { PROXMOX_TIMEOUT_MS: '1500', STOP_TIMEOUT_S: '1' },
  proxmox: { delays: { lockWaitMs: 100, startMs: 20, stopMs: 20, cloneMs: 20, dhcpMs: 20 } },
});
const { url, ca, tokenId, tokenSecret } = app.proxmox;
const proxmox = createProxmoxClient({ baseUrl: url, ca, tokenId, tokenSecret, timeoutMs: 5_000 });
afterAll(async () => {
  await proxmox[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
const alice = await app.signIn(ALICE);
const WAIT = { prefer: 'wait=30' };

type Verb = 'start' | 'stop' | 'restart';
const TASKS = { start: 'vzstart', stop: 'vzshutdown', restart: 'vzreboot' } as const;
const PATHS = { start: 'start', stop: 'shutdown', restart: 'reboot' } as const;

async function create(): Promise<number> {
  const body = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };
  return (await alice.call('POST', '/api/instances', { body, headers: WAIT })).body.vmid;
}
const power = (vmid: number, verb: Verb) =>
  alice.call('POST', `/api/servers/${vmid}/host/${verb}`, { headers: WAIT });
const onProxmox = (vmid: number) => app.proxmox.containers().find((one) => one.vmid === vmid);

/** How the tasks of this kind ended, the newest first. */
async function endsOf(vmid: number, verb: Verb): Promise<readonly (string | null)[]> {
  const tasks = await proxmox.listTasks({ node: 'pve1', vmid, typefilter: TASKS[verb] });
  return tasks.map(({ exitstatus }) => exitstatus);
}

type Mishap = Pick<Fault, 'method' | 'times'> & { readonly at: 'post' | 'look' | 'task' } & Record<
    string,
    unknown
  >;

const MISHAPS: readonly (readonly [string, Mishap])[] = [
  ['500', { at: 'post', method: 'POST', kind: 'status', status: 500, text: 'got no worker upid' }],
  [
    '595 Connection refused',
    { at: 'post', method: 'POST', kind: 'status', status: 595, text: 'Connection refused' },
  ],
  [
    '596 Connection timed out',
    { at: 'post', method: 'POST', kind: 'status', status: 596, text: 'Connection timed out' },
  ],
  ['nothing, for ever', { at: 'post', method: 'POST', kind: 'hang' }],
  ['a connection that breaks before the work', { at: 'post', method: 'POST', kind: 'drop_before' }],
  ['a connection that breaks after the work', { at: 'post', method: 'POST', kind: 'drop_after' }],
  [
    '500 when it is looked at',
    { at: 'look', method: 'GET', kind: 'status', status: 500, text: 'got timeout' },
  ],
  [
    '596 when its task is asked about',
    { at: 'task', method: 'GET', kind: 'status', status: 596, text: 'x' },
  ],
];

const LOST: ReadonlySet<string> = new Set(['hang', 'drop_after']);

/** A restart leaves no trace in the state, so it is the hardest: it meets all of them. */
const CASES = (['restart', 'stop', 'start'] as const).flatMap((verb) =>
  MISHAPS.filter(([, { kind }]) => verb === 'restart' || LOST.has(String(kind))).map(
    ([name, mishap]) => [verb, name, mishap] as const,
  ),
);

describe('while Proxmox answers', () => {
  test.concurrent.each(CASES)('%s: %s, it is done once all the same', async (verb, _, mishap) => {
    const { at, ...fault } = mishap;
    const vmid = await create();
    if (verb === 'start') await power(vmid, 'stop');
    const before = await endsOf(vmid, verb);
    const path = {
      post: new RegExp(`/lxc/${vmid}/status/${PATHS[verb]}$`),
      look: new RegExp(`/lxc/${vmid}/config$`),
      task: new RegExp(`/tasks/[^/]*${TASKS[verb]}[^/]*${vmid}[^/]*/status$`),
    }[at];
    const planned = app.proxmox.faults.plan({ ...fault, path, times: 1 } as Fault);

    const { body } = await power(vmid, verb);

    expect(planned.fired).toBe(1);
    expect(body.operation).toMatchObject({ state: 'succeeded', error: null });
    expect((await endsOf(vmid, verb)).slice(0, -before.length || undefined)).toEqual(['OK']);
    expect(onProxmox(vmid)?.status).toBe(verb === 'stop' ? 'stopped' : 'running');
  });
});

test('a file lock that somebody holds for a while is waited for', async () => {
  const vmid = await create();
  const held = await app.proxmox.holdConfigLock(vmid);
  const stopping = power(vmid, 'stop');
  await until(
    async () => (await endsOf(vmid, 'stop')).some((end) => end?.includes('got timeout')),
    {
      what: 'an attempt to fail for the lock',
      timeoutMs: 15_000,
    },
  );
  held[Symbol.dispose]();

  const { body } = await stopping;

  expect(body.operation).toMatchObject({ state: 'succeeded' });
  expect(onProxmox(vmid)?.status).toBe('stopped');
});
