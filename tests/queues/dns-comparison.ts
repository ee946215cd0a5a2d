import type { DnsClient } from '../../src/clients/dns-records.ts';
import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { createTell } from '../../src/queues/polls/tell.ts';
import { createDnsReconciliation } from '../../src/queues/workers/reconcile-dns.ts';
import { createEdgeTargets } from '../../src/storage/edge-targets.ts';
import { createInstances } from '../../src/storage/instances.ts';
import { setUp as startProxmox } from '../lab/proxmox-world.ts';
import { setUpLives } from './edge-lives.ts';
import { createEdgeNode, type DnsKind, nameSpec, setUpParties, ZONES } from './edge-parties.ts';
import { idOf } from './worker-world.ts';

export const KINDS: readonly DnsKind[] = ['internal_dns', 'public_dns'];
export const LOST = 'target.lost';
export const hostIn = (kind: DnsKind, vmid: number) => `mc-${vmid}.${ZONES[kind]}`;
export const serviceIn = (kind: DnsKind, vmid: number) => `_minecraft._tcp.${hostIn(kind, vmid)}`;

/** Happens before or after a zone is listed. */
type Meanwhile = (kind: DnsKind) => Promise<void>;

/** Instances, zones and a cluster, and nodes that compare them. */
export async function setUpDns() {
  await using opened = new AsyncDisposableStack();
  const parties = opened.use(await setUpParties());
  const lives = opened.use(await setUpLives());
  const { proxmox } = opened.use(await startProxmox());
  const clients = parties.connect();
  const node = createEdgeNode(clients);
  const { url: baseUrl, ca, tokenId, tokenSecret } = proxmox;
  const api = opened.use(
    createProxmoxClient({ baseUrl, ca, tokenId, tokenSecret, timeoutMs: 1_000 }),
  );

  function createComparison({
    before = async () => {},
    after = async () => {},
  }: {
    before?: Meanwhile;
    after?: Meanwhile;
  } = {}) {
    const { internalDns, publicDns } = parties.connect(300);
    const slow = (kind: DnsKind, dns: DnsClient): DnsClient => ({
      ...dns,
      async listRecords(filter, call) {
        await before(kind);
        const records = await dns.listRecords(filter, call);
        await after(kind);
        return records;
      },
    });
    const { actors } = lives.createNode();
    const run = createDnsReconciliation({
      zones: {
        internal_dns: slow('internal_dns', internalDns),
        public_dns: slow('public_dns', publicDns),
      },
      targets: createEdgeTargets(lives.database.pool),
      instances: createInstances(lives.database.prisma),
      proxmox: api,
      tell: createTell(actors),
      now: Date.now,
    });
    return { dry: () => run({ isDryRun: true }), real: () => run({ isDryRun: false }), run };
  }

  const write = (kind: DnsKind, vmid: number, verb: 'publish' | 'remove', id = idOf(vmid)) =>
    node.perform(`${kind}.${verb}`, { target: nameSpec(kind, vmid) }, { id });
  const closing = opened.move();
  return {
    ...lives,
    ...parties,
    proxmox,
    createComparison,
    ...createComparison(),
    write,
    /** In DNS, whatever our rows say. */
    async inDns(...vmids: number[]): Promise<void> {
      for (const vmid of vmids) for (const kind of KINDS) await write(kind, vmid, 'publish');
    },
    all: () => KINDS.flatMap(parties.inZone),
    /** As somebody else would, in the console. */
    async deleteByHand(kind: DnsKind, name: string): Promise<void> {
      const { internalDns, publicDns } = clients;
      const dns = kind === 'internal_dns' ? internalDns : publicDns;
      for (const { type, comment } of await dns.listRecords({ name })) {
        await dns.removeRecords({ name, type: type as 'A', comment: comment ?? '' });
      }
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Published, missing in one zone; unpublished, archived and foreign, but still in both. */
export async function setUpMess() {
  const t = await setUpDns();
  for (const vmid of [5001, 5002]) await t.published(vmid);
  await t.unpublished(5003);
  await t.published(5004);
  await t.archive(5004);
  await t.inDns(5001, 5002, 5003, 5004, 5005);
  await t.deleteByHand('public_dns', serviceIn('public_dns', 5002));
  for (const kind of KINDS) t.addByHand(kind, `www.${ZONES[kind]}`);
  for (const vmid of [5001, 5003]) t.proxmox.make(vmid, {});
  return t;
}
