import { describe, expect, test } from 'vitest';

import { agentOf, createApi, setUp } from './proxmox-world.ts';

const LXC = '/nodes/pve1/lxc';
const UNKNOWN =
  'property is not defined in schema and the schema does not allow additional properties';
const MISSING = 'property is missing and it is not optional';

describe('parameters', () => {
  test.each([
    ['POST', `${LXC}/9000/clone`, {}, { newid: MISSING }],
    ['POST', `${LXC}/9000/clone`, { newid: 5001, colour: 'red' }, { colour: UNKNOWN }],
    [
      'POST',
      `${LXC}/9000/clone`,
      { newid: 'many', full: 'maybe', hostname: '-no-' },
      {
        newid: "type check ('integer') failed - got 'many'",
        full: "type check ('boolean') failed - got 'maybe'",
        hostname: 'invalid format - value does not look like a valid DNS name\n',
      },
    ],
    [
      'POST',
      `${LXC}/9000/clone`,
      { newid: 99 },
      { newid: 'value must have a minimum value of 100' },
    ],
    [
      'PUT',
      `${LXC}/9000/config`,
      { memory: 8, ostype: 'plan9', hostname: 'x'.repeat(256) },
      {
        memory: 'value must have a minimum value of 16',
        ostype:
          "value 'plan9' does not have a value in the enumeration 'debian, devuan, ubuntu, " +
          "centos, fedora, opensuse, archlinux, alpine, gentoo, nixos, unmanaged'",
        hostname: 'value may only be 255 characters long',
      },
    ],
    [
      'PUT',
      `${LXC}/9000/config`,
      { net0: 'bridge=vmbr0,speed=9' },
      {
        net0: `invalid format - format error\nnet0.speed: ${UNKNOWN}\n` + `net0.name: ${MISSING}\n`,
      },
    ],
    ['PUT', `${LXC}/9000/config`, { delete: 'nothing' }, { delete: "unknown option 'nothing'" }],
    [
      'PUT',
      `${LXC}/9000/resize`,
      { disk: 'rootfs', size: 'big' },
      { size: 'value does not match the regex pattern' },
    ],
    [
      'POST',
      `${LXC}/9000/status/shutdown`,
      { timeout: -1 },
      { timeout: 'value must have a minimum value of 0' },
    ],
    [
      'POST',
      `${LXC}/9000/status/start`,
      { skiplock: 1 },
      { skiplock: 'Only root may use this option.' },
    ],
    ['POST', LXC, { vmid: 5001 }, { ostemplate: MISSING }],
  ] as const)('%s %s with %j is refused with all mistakes', async (method, path, given, errors) => {
    await using t = await setUp();

    const answer = await (method === 'PUT' ? t.api.put(path, given) : t.api.post(path, given));

    expect(answer).toMatchObject({ status: 400, reason: 'Parameter verification failed.' });
    expect(answer.body).toEqual({
      data: null,
      message: 'Parameter verification failed.\n',
      errors,
    });
  });

  test.each([
    ['/cluster/resources?type=pool', { type: expect.stringContaining('enumeration') }],
    ['/cluster/nextid?vmid=9000', { vmid: 'VM 9000 already exists' }],
    ['/nodes/pve1/tasks/nonsense/status', { upid: 'unable to parse worker upid' }],
    [
      '/nodes/pve1/tasks/UPID:pve1:00000001:00000001:00000001:vzstart:1:a@b:/status',
      { upid: 'no such task' },
    ],
  ])('GET %s is refused', async (path, errors) => {
    await using t = await setUp();

    const answer = await t.api.get(path);

    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ errors });
  });

  test('JSON bodies are as good as forms; a GET must have none', async () => {
    await using t = await setUp();
    const json = { 'content-type': 'application/json' };

    const body = JSON.stringify({ newid: 5001, full: true, hostname: 'by-json' });
    const cloned = await t.api.send('POST', `${LXC}/9000/clone`, body, json);
    const odd = await t.api.send('DELETE', `${LXC}/9000`, 'force=1');

    expect(cloned.status).toBe(200);
    expect(t.snapshot(5001)?.hostname).toBe('by-json');
    expect(odd).toMatchObject({ status: 501, reason: "Unexpected content for method 'DELETE'" });
  });
});

describe('errors that are answered at once', () => {
  test.each([
    ['GET', `${LXC}/101/config`, "Configuration file 'nodes/pve1/lxc/101.conf' does not exist"],
    [
      'GET',
      '/nodes/pve2/lxc/9000/config',
      "Configuration file 'nodes/pve2/lxc/9000.conf' does not exist",
    ],
    ['POST', `${LXC}/5002/status/start`, 'CT 5002 already running'],
    ['POST', `${LXC}/5001/status/stop`, 'CT 5001 not running'],
    ['POST', `${LXC}/5001/status/shutdown`, 'CT 5001 not running'],
    ['POST', `${LXC}/5001/status/reboot`, 'VM 5001 not running'],
    ['DELETE', `${LXC}/5002`, 'unable to destroy CT 5002 - container is running'],
    ['DELETE', `${LXC}/5003`, "can't remove CT 5003 - protection mode enabled"],
    ['DELETE', `${LXC}/5004`, 'CT is locked (backup)'],
    ['PUT', `${LXC}/5004/config?cores=2`, 'CT is locked (backup)'],
    ['PUT', `${LXC}/5001/config`, 'no options specified'],
    [
      'PUT',
      `${LXC}/5001/config?cores=2&digest=${'0'.repeat(40)}`,
      'detected modified configuration - file changed by other user? Try again.',
    ],
    ['PUT', `${LXC}/5001/resize?disk=rootfs&size=1G`, 'unable to shrink disk size'],
    ['PUT', `${LXC}/5001/resize?disk=rootfs&size=8G`, 'disk is already at specified size'],
    ['POST', `${LXC}/9000/clone?newid=5001`, "CT 5001 already exists on node 'pve1'"],
    ['POST', `${LXC}?vmid=5001&ostemplate=x`, "CT 5001 already exists on node 'pve1'"],
    [
      'POST',
      `${LXC}/9000/clone?newid=6000&storage=ceph`,
      "parameter 'storage' not allowed for linked clones",
    ],
    [
      'POST',
      `${LXC}/5002/clone?newid=6000&full=1`,
      'Cannot do full clones on a running container without snapshots',
    ],
    [
      'GET',
      '/nodes/pve9/lxc',
      "hostname lookup 'pve9' failed - failed to get address info for: pve9: " +
        'Name or service not known',
    ],
  ])('%s %s: %s', async (method, path, text) => {
    await using t = await setUp();
    for (const vmid of [5001, 5002, 5003, 5004]) await t.cloned(vmid);
    await t.api.run('POST', `${LXC}/5002/status/start`);
    await t.api.put(`${LXC}/5003/config`, { protection: 1 });
    t.proxmox.setLock(5004, 'backup');

    const answer = await t.api.send(method, path, undefined);

    expect(answer).toMatchObject({ status: 500, reason: text });
    expect(answer.body).toEqual({ data: null, message: `${text}\n` });
    expect(t.snapshot(9000)?.lock).toBeUndefined();
  });

  test.each(['/nodes/pve1/qemu', '/nonsense'])('GET %s is not implemented', async (path) => {
    await using t = await setUp();

    const answer = await t.api.get(path);

    expect(answer).toMatchObject({ status: 501, reason: `Method 'GET ${path}' not implemented` });
  });

  test.each([
    [{ authorization: 'PVEAPIToken=zpack@pve!api=wrong' }, 'Authentication failed!'],
    [{ authorization: '' }, 'No ticket'],
  ])('%j is not let in, and hears nothing but the reason phrase', async (headers, reason) => {
    await using t = await setUp();

    const answer = await t.api.send('GET', '/version', undefined, headers);

    expect(answer).toMatchObject({ status: 401, reason, text: '' });
  });

  test('a certificate that nobody pinned is not trusted', async () => {
    await using t = await setUp();
    await using other = await setUp();

    const api = createApi({ ...t.proxmox, ca: other.proxmox.ca });

    await expect(api.get('/version')).rejects.toThrow('fetch failed');
    await api.close();
  });
});

describe('errors that only the task tells', () => {
  test.each([
    ['POST', '/9000/status/start', "you can't start a CT if it's a template"],
    ['POST', '/5001/status/start', 'CT is locked (backup)'],
    ['POST', '/5002/status/stop', 'CT is locked (snapshot)'],
    ['POST', '/5002/status/shutdown', 'CT is locked (snapshot)'],
    ['POST', '/5002/status/reboot', 'CT is locked (snapshot)'],
  ] as const)('%s %s: %s', async (method, path, text) => {
    await using t = await setUp();
    await t.cloned(5001);
    await t.started(5002);
    t.proxmox.setLock(5001, 'backup');
    t.proxmox.setLock(5002, 'snapshot');

    const begun = await t.api.send(method, `${LXC}${path}`, undefined);
    const { exitstatus } = await t.api.taskEnd(begun.data);
    const upid = encodeURIComponent(String(begun.data));
    const log = await t.api.get(`/nodes/pve1/tasks/${upid}/log`);

    expect(exitstatus).toBe(text);
    expect(log.body).toMatchObject({ data: [{ n: 1, t: `TASK ERROR: ${text}` }], total: 1 });
  });

  test('a container that does not hear is only stopped by force', async () => {
    await using t = await setUp({ agentFaults: { ignoreShutdown: true } });
    const path = await t.started(5001);
    await agentOf(t.proxmox, 5001);

    const deaf = await t.api.run('POST', `${path}/status/shutdown`, { timeout: 0 });
    const after = t.snapshot(5001)?.status;
    const order = { timeout: 0, forceStop: 1 };
    const forced = await t.api.run('POST', `${path}/status/shutdown`, order);

    expect([deaf, after]).toEqual(['container did not stop', 'running']);
    expect(forced).toBe('OK');
    expect(t.snapshot(5001)).toMatchObject({ status: 'stopped', pids: [] });
  });
});
