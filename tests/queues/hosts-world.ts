import { createProxmoxClient, type ProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { markerOf } from '../../src/machines/instance/marker.ts';
import { createHostSweep } from '../../src/queues/polls/sweep-hosts.ts';
import { createTell } from '../../src/queues/polls/tell.ts';
import { createContainerCounts } from '../../src/storage/cluster-nodes.ts';
import { createPollTargets } from '../../src/storage/poll-targets.ts';
import { setUp as startStandIn } from '../lab/proxmox-world.ts';
import { never, serve, setUpObservers } from './polls-world.ts';
import { addressOf, idOf, type TestNode } from './worker-world.ts';

export const LIST = { method: 'GET', path: /^\/cluster\/resources/ } as const;

/** Instances in service whose containers run on a stand-in, and nodes that compare the two. */
export async function setUpHosts(vmids: readonly number[], timeoutMs = 5_000) {
  await using opened = new AsyncDisposableStack();
  const t = opened.use(await setUpObservers());
  const world = opened.use(await startStandIn());
  const { proxmox, api } = world;
  const main = t.createNode();

  async function start(vmid: number, node = 'pve1'): Promise<void> {
    await api.run('POST', `/nodes/${node}/lxc/${vmid}/status/start`);
  }

  for (const vmid of vmids) {
    proxmox.make(vmid, { description: markerOf(idOf(vmid)) });
    await start(vmid);
    await t.create(main.actors, vmid);
    await serve(main.actors, vmid, `127.21.0.${vmid & 255}`);
  }

  /** A node of its own. `wrap` lets it see the cluster otherwise than it is. */
  function createObserver(
    wrap: (client: ProxmoxClient) => Partial<ProxmoxClient> = () => ({}),
    node: TestNode = t.createNode(),
  ) {
    const { url: baseUrl, ca, tokenId, tokenSecret } = proxmox;
    const client = closing.use(
      createProxmoxClient({ baseUrl, ca, tokenId, tokenSecret, timeoutMs }),
    );
    const sweep = createHostSweep({
      targets: createPollTargets(node.pool),
      proxmox: { ...client, ...wrap(client) },
      live: t.live,
      counts: createContainerCounts(t.redis, t.prefix),
      tell: createTell(node.actors),
      now: Date.now,
      logger: t.logger,
    });
    return { sweep: (shutdown = never) => sweep(shutdown) };
  }

  const closing = opened.move();
  return {
    ...t,
    main,
    proxmox,
    start,
    createObserver,
    tell: (vmid: number, event: { type: string; [field: string]: unknown }) =>
      main.actors.tell(addressOf(vmid), event),
    /** Where the instance believes its container to be, and why. */
    async believed(vmid: number) {
      const { sighting, node } = await t.contextOf(main.actors, vmid);
      const { host } = await t.stateOf(main, vmid);
      return { host, node, lock: sighting.lock, drift: sighting.drift?.code ?? null };
    },
    sent: (path: RegExp) => proxmox.requests().filter((one) => path.test(one.path)).length,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
