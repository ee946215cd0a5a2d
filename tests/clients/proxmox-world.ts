import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';

import { startProxmox } from '../../lab/proxmox/server.ts';
import {
  createProxmoxClient,
  type ProxmoxClient,
  type ProxmoxClientOptions,
} from '../../src/clients/proxmox/client.ts';

type Proxmox = Awaited<ReturnType<typeof startProxmox>>;
type Fault = Parameters<Proxmox['faults']['plan']>[0];
type Kind = Fault extends infer F
  ? F extends unknown
    ? Omit<F, 'method' | 'path'>
    : never
  : never;

export interface Place {
  readonly node: string;
  readonly vmid: number;
}

/** A stand-in of Proxmox for the tests of one file or `describe`, and a client of it. */
export function startWorld({ cloneMs = 20 } = {}) {
  const stack = new AsyncDisposableStack();
  let opened: { proxmox: Proxmox; client: ProxmoxClient } | undefined;
  let vmidLast = 5_000;

  beforeAll(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'zpack-proxmox-client-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    const quick = { configureMs: 1, startMs: 5, stopMs: 5, destroyMs: 5, dhcpMs: 5 };
    const delays = { ...quick, cloneMs, lockWaitMs: 50, authFailureMs: 1, installStepMs: 1 };
    const agentProgram = inject('programs').agent;
    const proxmox = stack.use(await startProxmox({ dataDir, delays, agentProgram }));
    opened = { proxmox, client: stack.use(connectTo(proxmox)) };
  });

  afterAll(() => stack.disposeAsync());

  function open() {
    if (!opened) throw new Error('the world has not started yet');
    return opened;
  }

  const templateNode = () => open().proxmox.nodes[0] ?? '';

  function nextVmid(): number {
    vmidLast += 1;
    return vmidLast;
  }

  function startClone(vmid: number, by = open().client): Promise<string> {
    return by.cloneContainer({
      node: templateNode(),
      templateVmid: open().proxmox.templateVmid,
      vmid,
      hostname: `mc-${vmid}`,
      description: 'zpack: epoch 1',
    });
  }

  async function finished(upid: Promise<string> | string): Promise<{ warnings: number }> {
    const signal = AbortSignal.timeout(20_000);
    return open().client.awaitTask(await upid, { signal, pollMs: 5 });
  }

  return {
    get proxmox() {
      return open().proxmox;
    },
    get client() {
      return open().client;
    },
    templateNode,
    nextVmid,
    startClone,
    finished,
    connect: (options: Partial<ProxmoxClientOptions> = {}) => connectTo(open().proxmox, options),
    /** A container that is there and stopped. */
    async clone(vmid = nextVmid()): Promise<Place> {
      await finished(startClone(vmid));
      return { node: templateNode(), vmid };
    },
    plan: (fault: Kind, path: string, method: Fault['method'] = 'POST') =>
      open().proxmox.faults.plan({ ...fault, method, path: new RegExp(path) } as Fault),
    /** How many such requests have arrived. */
    sent: (method: string, path: RegExp) =>
      open()
        .proxmox.requests()
        .filter((one) => one.method === method && path.test(one.path)).length,
  };
}

function connectTo(
  { url, ca, tokenId, tokenSecret }: Proxmox,
  options: Partial<ProxmoxClientOptions> = {},
): ProxmoxClient {
  const own = { baseUrl: url, ca, tokenId, tokenSecret, timeoutMs: 5_000 };
  return createProxmoxClient({ ...own, ...options });
}
