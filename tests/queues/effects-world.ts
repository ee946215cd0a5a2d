import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { inject } from 'vitest';

import type { ProxmoxOptions } from '../../lab/proxmox/options.ts';
import { createAgentBackups } from '../../src/clients/agent/backups.ts';
import { createAgentClient } from '../../src/clients/agent/client.ts';
import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import type { Effect, EffectKind } from '../../src/machines/instance/types.ts';
import type { Perform, Performers, ToldEvent } from '../../src/queues/effects/performer.ts';
import { createPerformers } from '../../src/queues/effects/performers.ts';
import { createNodeSlots } from '../../src/storage/node-slots.ts';
import { setUp } from '../lab/proxmox-world.ts';

export const BRIDGES = { game: 'vmbr3', dev: 'vmbr2' };
/** Nothing of the edge is configured. */
const NO_EDGE = {
  internalDns: undefined,
  publicDns: undefined,
  opnsense: undefined,
  velocity: undefined,
  router: undefined,
  pollMs: 5,
  routerTimeoutMs: 100,
};
/** What is known of backups beside, which needs a database. */
const UNKNOWN = {
  record: async () => {},
  noteChecked: async () => {},
  claimDeletion: async () => true,
  forget: async () => {},
};
const POLL_MS = 5;

type EffectOf<Kind extends EffectKind> = Extract<Effect, { kind: Kind }>;

type Optional = 'node' | 'known';

/** What a test has to say of an effect; where the container is need not be known. */
type Given<Kind extends EffectKind> = Omit<
  EffectOf<Kind>,
  'kind' | 'opId' | 'vmid' | 'id' | Optional
> &
  Partial<Pick<EffectOf<Kind>, Extract<Optional, keyof EffectOf<Kind>>>>;

/** Performs an effect as a worker would, and remembers what it told on the way. */
export interface Node {
  readonly performers: Performers;
  readonly told: ToldEvent[];
  perform<Kind extends EffectKind>(
    kind: Kind,
    vmid: number,
    given: Given<Kind>,
    how?: { readonly signal?: AbortSignal; readonly upid?: string | null },
  ): Promise<ToldEvent>;
}

export const idOf = (vmid: number) => `${vmid}-aaaa0001`;

/** A stand-in of Proxmox, and two nodes of ours that do not know of each other. */
export async function setUpEffects(
  options: Partial<ProxmoxOptions> & { addressTimeoutMs?: number } = {},
) {
  await using opened = new AsyncDisposableStack();
  const { addressTimeoutMs = 5_000, ...lab } = options;
  const world = opened.use(await setUp(lab));
  const { proxmox } = world;
  const { url: baseUrl, ca, tokenId, tokenSecret, templateVmid } = proxmox;

  const redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
  const prefix = `effects-${randomBytes(6).toString('hex')}`;
  const onError = (error: unknown) => {
    throw error;
  };
  const begunAt = Date.now();

  const createNode = (): Node => {
    const access = { baseUrl, ca, tokenId, tokenSecret, timeoutMs: 2_000 };
    const client = opened.use(createProxmoxClient(access));
    const agents = opened.use(createAgentClient({ port: 18_888, timeoutMs: 2_000 }));
    const calls = { port: 18_888, timeoutMs: 2_000, orderTimeoutMs: 20_000 };
    const backups = opened.use(createAgentBackups(calls));
    const slots = createNodeSlots({ redis, prefix, perNode: 8, onError });
    const rules = { slots, bridges: BRIDGES, addressTimeoutMs, shutdownTimeoutS: 5 };
    const performers = createPerformers({
      host: { proxmox: client, templateVmid, pollMs: POLL_MS, ...rules },
      agent: { agents, pollMs: POLL_MS, bootTimeoutMs: 5_000 },
      edge: NO_EDGE,
      backup: { backups, agents, known: UNKNOWN, pollMs: POLL_MS },
    });
    const told: ToldEvent[] = [];
    return {
      performers,
      told,
      perform(kind, vmid, given, { signal = AbortSignal.timeout(20_000), upid = null } = {}) {
        const calm = { node: null, known: [] };
        const effect = { kind, opId: '1', vmid, id: idOf(vmid), ...calm, ...given };
        return (performers[kind] as Perform<EffectKind>)(effect as never, {
          upid,
          ageMs: Date.now() - begunAt,
          signal,
          progress: async (event) => void told.push(event),
        });
      },
    };
  };
  const nodes = [createNode(), createNode()] as const;
  const closing = opened.move();
  const clone = (vmid: number, node: Node = nodes[0]) =>
    node.perform('container.clone', vmid, { hostname: `mc-${vmid}` });
  return {
    ...world,
    nodes,
    node: nodes[0],
    clone,
    /** A container of ours with a network, which is off. */
    async configured(vmid: number): Promise<void> {
      await clone(vmid);
      const size = { cpuCores: 1, memoryMiB: 512 };
      await nodes[0].perform('container.configure', vmid, { node: 'pve1', ctype: 'game', ...size });
    },
    async running(vmid: number): Promise<void> {
      await this.configured(vmid);
      await nodes[0].perform('container.start', vmid, {});
    },
    /** A container that somebody made by hand, under a number of ours. */
    async foreign(vmid: number): Promise<void> {
      await world.api.run('POST', '/nodes/pve1/lxc', {
        vmid,
        ostemplate: 'local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst',
        hostname: 'theirs',
        description: 'do not touch',
      });
    },
    /** How the tasks of a type ended, the newest first. */
    async tasks(type: string): Promise<readonly string[]> {
      const { data } = await world.api.get(`/nodes/pve1/tasks?source=all&typefilter=${type}`);
      return (data as { status?: string }[]).map(({ status }) => status ?? 'running');
    },
    sent: (method: string, path: RegExp) =>
      proxmox.requests().filter((one) => one.method === method && path.test(one.path)).length,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Performs something twice, by two nodes: in turn, or side by side. */
export const TWICE = [
  [
    'one after the other',
    async <N, T>(nodes: readonly [N, N], perform: (node: N) => Promise<T>) => [
      await perform(nodes[0]),
      await perform(nodes[1]),
    ],
  ],
  [
    'at the same time',
    <N, T>(nodes: readonly [N, N], perform: (node: N) => Promise<T>) =>
      Promise.all(nodes.map(perform)),
  ],
] as const;
