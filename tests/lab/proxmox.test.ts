import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';

import { processesBelow } from '../../lab/proxmox/processes.ts';
import { startProxmox } from '../../lab/proxmox/server.ts';
import { until } from '../support/until.ts';
import {
  agentOf,
  createApi,
  FAST,
  isAlive,
  setUp,
  spawnStandIn,
  temporaryFolder,
} from './proxmox-world.ts';

interface Interface {
  readonly name: string;
  readonly inet?: string;
}

const GAME = {
  vmid: 5001,
  container_type: 'game',
  game: 'terraria',
  variant: 'vanilla',
  version: '1.4.4',
  memory_mb: 512,
};

async function configureAgent(agent: string, payload: object): Promise<void> {
  await fetch(`${agent}/config`, { method: 'POST', body: JSON.stringify(payload) });
  await until(async () => (await fetch(`${agent}/ready`)).ok, { what: 'a ready game' });
}

describe('the life of a container', () => {
  test('from the clone to a running agent to nothing at all', async () => {
    await using t = await setUp({ delays: { cloneMs: 500, dhcpMs: 1_500 } });
    const path = '/nodes/pve1/lxc/5001';

    const cloning = await t.api.post('/nodes/pve1/lxc/9000/clone', {
      newid: 5001,
      full: 1,
      hostname: 'terraria-5001',
      description: 'zpack epoch 7',
    });
    const half = t.snapshot(5001);
    const cloned = await t.api.taskEnd(cloning.data);
    const configured = await t.api.put(`${path}/config`, {
      cores: 2,
      memory: 1024,
      net0: 'name=eth0,bridge=vmbr3,ip=dhcp',
    });
    const config = await t.api.get(`${path}/config`);
    const off = await t.api.get(`${path}/interfaces`);
    await t.api.run('POST', `${path}/status/start`);
    const early = await t.api.get(`${path}/interfaces`);
    const agent = await agentOf(t.proxmox, 5001);
    const address = await until(
      async () => ((await t.api.get(`${path}/interfaces`)).data as Interface[])[1]?.inet,
      { what: 'an address by DHCP' },
    );
    const running = await t.api.get(`${path}/status/current`);
    await configureAgent(agent, GAME);
    const pids = t.snapshot(5001)?.pids ?? [];
    const stopped = await t.api.run('POST', `${path}/status/stop`);
    const folder = join(t.dataDir, 'containers', '5001');
    const hadDisk = existsSync(join(folder, 'rootfs', 'agent.json'));
    const destroyed = await t.api.run('DELETE', `${path}?purge=1`);

    expect(String(cloning.data)).toMatch(
      /^UPID:pve1:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:vzclone:9000:zpack@pve!api:$/,
    );
    expect(half).toMatchObject({ lock: 'create', hostname: 'terraria-5001', status: 'stopped' });
    expect(cloned.exitstatus).toBe('OK');
    expect(configured).toMatchObject({ status: 200, data: null });
    expect(config.data).toMatchObject({
      cores: 2,
      memory: 1024,
      hostname: 'terraria-5001',
      description: 'zpack epoch 7\n',
      net0: expect.stringMatching(/^name=eth0,bridge=vmbr3,ip=dhcp,hwaddr=BC:24:11:\S+,type=veth$/),
      digest: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    expect(off.data).toBeNull();
    expect((early.data as Interface[]).map((one) => [one.name, one.inet])).toEqual([
      ['lo', '127.0.0.1/8'],
      ['eth0', undefined],
    ]);
    expect(address).toBe(`${new URL(agent).hostname}/8`);
    expect(running.data).toMatchObject({ status: 'running', vmid: 5001, cpus: 2 });
    expect(pids).toHaveLength(2);
    expect(stopped).toBe('OK');
    expect(pids.filter(isAlive)).toEqual([]);
    expect(hadDisk).toBe(true);
    expect(destroyed).toBe('OK');
    expect(existsSync(folder)).toBe(false);
    expect(t.snapshot(5001)).toBeUndefined();
  });

  test('two containers listen on the same ports of different addresses', async () => {
    await using t = await setUp();
    await t.started(5001);
    await t.started(5002);

    const [one, two] = [await agentOf(t.proxmox, 5001), await agentOf(t.proxmox, 5002)];
    await configureAgent(one, GAME);
    await configureAgent(two, { ...GAME, vmid: 5002 });

    expect(new URL(one).hostname).not.toBe(new URL(two).hostname);
    const states = await Promise.all([one, two].map(async (url) => await fetch(`${url}/status`)));
    expect(await Promise.all(states.map((state) => state.json()))).toMatchObject([
      { vmid: 5001, state: 'running', port: 7777 },
      { vmid: 5002, state: 'running', port: 7777 },
    ]);
  });

  test('a container whose init ends is stopped, with all its processes', async () => {
    await using t = await setUp();
    await t.started(5001);
    await configureAgent(await agentOf(t.proxmox, 5001), GAME);
    const pids = t.snapshot(5001)?.pids ?? [];
    const [init = 0] = pids;

    process.kill(init, 'SIGKILL');

    await until(() => t.snapshot(5001)?.status === 'stopped', { what: 'the end of 5001' });
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test('a shutdown lets the agent end its game; a reboot brings both back', async () => {
    await using t = await setUp();
    const path = await t.started(5001);
    const agent = await agentOf(t.proxmox, 5001);
    await configureAgent(agent, GAME);

    const rebooted = await t.api.run('POST', `${path}/status/reboot`);
    await until(async () => (await fetch(`${agent}/ready`)).ok, { what: 'the game after reboot' });
    const shut = await t.api.run('POST', `${path}/status/shutdown`, { timeout: 10 });

    expect([rebooted, shut]).toEqual(['OK', 'OK']);
    expect(t.snapshot(5001)).toMatchObject({ status: 'stopped', pids: [] });
  });

  test('a container lives on one node, and on the target when it was cloned there', async () => {
    await using t = await setUp();
    const order = { newid: 5001, full: 1, target: 'pve2' };

    await t.api.run('POST', '/nodes/pve1/lxc/9000/clone', order);
    const here = await t.api.get('/nodes/pve1/lxc/5001/config');
    const there = await t.api.get('/nodes/pve2/lxc/5001/config');
    t.proxmox.migrate(5001, 'pve1');
    const back = await t.api.get('/nodes/pve1/lxc/5001/config');

    expect(here.reason).toBe("Configuration file 'nodes/pve1/lxc/5001.conf' does not exist");
    expect([here.status, there.status, back.status]).toEqual([500, 200, 200]);
  });

  test('people may switch a container off or remove it by hand', async () => {
    await using t = await setUp();
    const path = await t.started(5001);
    const pids = t.snapshot(5001)?.pids ?? [];

    await t.proxmox.powerOff(5001);
    const off = await t.api.get(`${path}/status/current`);
    await t.proxmox.vanish(5001);
    const gone = await t.api.get(`${path}/status/current`);

    expect(off.data).toMatchObject({ status: 'stopped' });
    expect(pids).toHaveLength(1);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(gone.status).toBe(500);
  });
});

describe('a restart', () => {
  test('keeps containers, configurations, tasks, secrets and addresses', async () => {
    await using folder = await temporaryFolder();
    const agentProgram = inject('programs').agent;
    const options = { dataDir: folder.path, delays: FAST, agentProgram };
    const first = await startProxmox(options);
    const api = createApi(first);
    await api.run('POST', '/nodes/pve1/lxc/9000/clone', { newid: 5001, full: 1, hostname: 'kept' });
    await api.run('POST', '/nodes/pve1/lxc/5001/status/start');
    const agent = await agentOf(first, 5001);
    await configureAgent(agent, GAME);
    const pids = first.containers().flatMap((one) => one.pids);
    const config = await api.get('/nodes/pve1/lxc/5001/config');
    await api.close();

    await first[Symbol.asyncDispose]();
    const alive = pids.filter(isAlive);
    await using second = await startProxmox(options);
    const again = createApi(second);

    expect(alive).toEqual([]);
    expect(second).toMatchObject({ ca: first.ca, tokenSecret: first.tokenSecret });
    expect(await agentOf(second, 5001)).toBe(agent);
    await until(async () => (await fetch(`${agent}/ready`)).ok, { what: 'the game again' });
    expect((await again.get('/nodes/pve1/lxc/5001/config')).data).toEqual(config.data);
    const tasks = await again.get('/nodes/pve1/tasks');
    expect(tasks.data).toMatchObject([
      { type: 'vzstart', status: 'OK' },
      { type: 'vzclone', status: 'OK' },
    ]);
    await again.close();
  });

  test('after kill -9 no process is left, and what was in flight is found half done', async () => {
    await using folder = await temporaryFolder();
    const first = await spawnStandIn(folder.path);
    const clone = '/nodes/pve1/lxc/9000/clone';
    await first.api.run('POST', clone, { newid: 5001, full: 1 });
    await first.api.run('POST', '/nodes/pve1/lxc/5001/status/start');
    const ip = await until(
      async () => {
        const { data } = await first.api.get('/nodes/pve1/lxc/5001/interfaces');
        return (data as Interface[])[1]?.inet?.split('/')[0];
      },
      { what: 'the address of 5001' },
    );
    await until(async () => (await fetch(`http://${ip}:18888/health`)).ok, { what: 'the agent' });
    await configureAgent(`http://${ip}:18888`, GAME);
    const containers = join(folder.path, 'containers');
    const before = processesBelow(containers);
    const cut = await first.api.post(clone, { newid: 5002, full: 1 });

    await first.end('SIGKILL');
    await until(() => processesBelow(containers).length === 0, { what: 'the container to end' });
    await using second = await spawnStandIn(folder.path);
    const task = await second.api.taskEnd(cut.data);
    const resources = await second.api.get('/cluster/resources?type=vm');
    const refused = await second.api.delete('/nodes/pve1/lxc/5002');

    expect(before).toHaveLength(2);
    expect(task.exitstatus).toBe('unexpected status');
    expect(resources.data).toMatchObject([
      { vmid: 5001, status: 'running' },
      { vmid: 5002, status: 'stopped', lock: 'create' },
      { vmid: 9000, template: 1 },
    ]);
    expect(refused).toMatchObject({ status: 500, reason: 'CT is locked (create)' });
  });

  test('ends what an earlier run left over, and nothing of anybody else', async () => {
    await using folder = await temporaryFolder();
    const orphanOf = (dataDir: string) =>
      spawn('sleep', ['60'], {
        env: { LAB_CONTAINER_ROOT: `${dataDir}/containers/5001/rootfs` },
        stdio: 'ignore',
      });
    const ours = orphanOf(folder.path);
    const foreign = orphanOf('/srv/another-lab');
    const ended = once(ours, 'exit');

    await using _proxmox = await startProxmox({ dataDir: folder.path, delays: FAST });
    await ended;

    expect(ours.signalCode).toBe('SIGKILL');
    expect(isAlive(foreign.pid ?? 0)).toBe(true);
    foreign.kill();
  });

  test('two stand-ins share the machine, but not a folder', async () => {
    await using one = await setUp();
    await using two = await setUp();
    await one.started(5001);
    await two.started(5001);

    const addresses = [await agentOf(one.proxmox, 5001), await agentOf(two.proxmox, 5001)];

    expect(new Set(addresses).size).toBe(2);
    await expect(startProxmox({ dataDir: one.dataDir })).rejects.toThrow('another stand-in runs');
  });
});
