import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Agent, fetch } from 'undici';
import { inject } from 'vitest';

import type { Delays, ProxmoxOptions } from '../../lab/proxmox/options.ts';
import { type Proxmox, startProxmox } from '../../lab/proxmox/server.ts';
import { until } from '../support/until.ts';

export const FAST: Partial<Delays> = {
  cloneMs: 20,
  createMs: 20,
  configureMs: 0,
  resizeMs: 5,
  startMs: 10,
  stopMs: 5,
  destroyMs: 5,
  dhcpMs: 30,
  lockWaitMs: 100,
  authFailureMs: 0,
  installStepMs: 5,
};

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
  // The answers differ by endpoint; a test knows what it asked for.
  readonly data: unknown;
  readonly body: object;
}

interface TaskEnd {
  readonly status: string;
  readonly exitstatus: string;
}

type Access = Pick<Proxmox, 'url' | 'ca' | 'tokenId' | 'tokenSecret'>;
type Fields = Readonly<Record<string, string | number>>;

export function createApi({ url, ca, tokenId, tokenSecret }: Access) {
  const dispatcher = new Agent({ connect: { ca } });
  const authorization = `PVEAPIToken=${tokenId}=${tokenSecret}`;

  async function send(
    method: string,
    path: string,
    content: string | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(new URL(`/api2/json${path}`, url), {
      method,
      dispatcher,
      headers: { authorization, ...headers },
      ...(content === undefined ? {} : { body: content }),
    });
    const text = await response.text();
    const body = (text ? JSON.parse(text) : {}) as { readonly data?: unknown };
    const { status, statusText: reason } = response;
    return { status, reason, text, data: body.data, body };
  }

  const form = (method: string, path: string, fields: Fields) =>
    send(method, path, new URLSearchParams(toText(fields)).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
    });

  async function taskEnd(upid: unknown): Promise<TaskEnd> {
    const id = String(upid);
    const path = `/nodes/${id.split(':')[1]}/tasks/${encodeURIComponent(id)}/status`;
    return await until(
      async () => {
        const { data } = await send('GET', path, undefined);
        return (data as TaskEnd).status === 'stopped' && (data as TaskEnd);
      },
      { what: `the end of ${id}` },
    );
  }

  return {
    send,
    taskEnd,
    get: (path: string) => send('GET', path, undefined),
    post: (path: string, fields: Fields = {}) => form('POST', path, fields),
    put: (path: string, fields: Fields = {}) => form('PUT', path, fields),
    delete: (path: string) => send('DELETE', path, undefined),
    /** Begins a task and waits for its exit status. */
    async run(method: 'POST' | 'PUT' | 'DELETE', path: string, fields: Fields = {}) {
      const begun =
        method === 'DELETE'
          ? await send('DELETE', path, undefined)
          : await form(method, path, fields);
      if (begun.status !== 200) throw new Error(`${path} answered ${begun.status} ${begun.text}`);
      return (await taskEnd(begun.data)).exitstatus;
    },
    close: () => dispatcher.destroy(),
  };
}

function toText(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}

export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'zpack-proxmox-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A stand-in in a folder of its own, gone at the end with everything it started. */
export async function setUp(options: Partial<ProxmoxOptions> = {}) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await temporaryFolder());
  const delays = { ...FAST, ...options.delays };
  const agentProgram = inject('programs').agent;
  const proxmox = opened.use(
    await startProxmox({ dataDir: folder.path, agentProgram, ...options, delays }),
  );
  const api = createApi(proxmox);
  opened.defer(() => api.close());
  const everything = opened.move();

  async function cloned(vmid: number): Promise<string> {
    await api.run('POST', '/nodes/pve1/lxc/9000/clone', { newid: vmid, full: 1 });
    return `/nodes/pve1/lxc/${vmid}`;
  }

  return {
    proxmox,
    api,
    dataDir: folder.path,
    cloned,
    async started(vmid: number): Promise<string> {
      const path = await cloned(vmid);
      await api.run('POST', `${path}/status/start`);
      return path;
    },
    snapshot: (vmid: number) => proxmox.containers().find((one) => one.vmid === vmid),
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

/** The address under which the container's agent answers. */
export async function agentOf(proxmox: Proxmox, vmid: number): Promise<string> {
  return await until(
    async () => {
      const ip = proxmox.containers().find((one) => one.vmid === vmid)?.ip;
      if (!ip) return undefined;
      const url = `http://${ip}:18888`;
      const { ok } = await globalThis.fetch(`${url}/health`);
      return ok && url;
    },
    { what: `the agent of ${vmid}`, timeoutMs: 15_000 },
  );
}

/** A stand-in as a process of its own, which a test may kill. */
export async function spawnStandIn(dataDir: string) {
  const program = fileURLToPath(new URL('../../lab/proxmox/main.ts', import.meta.url));
  const { PATH } = process.env;
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH,
      PROXMOX_DATA_DIR: dataDir,
      PROXMOX_PORT: '0',
      PROXMOX_DELAYS: JSON.stringify({ ...FAST, cloneMs: 200 }),
    },
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const access = JSON.parse(String(line)) as Omit<Access, 'url'> & { url: string };
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  return {
    api: createApi({ ...access, url: new URL(access.url) }),
    end,
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  };
}

/** A zombie is dead: it only waits for somebody to read how it ended. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}
