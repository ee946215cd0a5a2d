import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startCloudflare } from '../../lab/cloudflare/server.ts';
import { startOpnsense } from '../../lab/opnsense/server.ts';
import { startTechnitium } from '../../lab/technitium/server.ts';
import { startVelocity, type VelocityOptions } from '../../lab/velocity/velocity.ts';
import { createCloudflareClient } from '../../src/clients/cloudflare/client.ts';
import { createOpnsenseClient } from '../../src/clients/opnsense/client.ts';
import { createTechnitiumClient } from '../../src/clients/technitium/client.ts';
import { createVelocityClient } from '../../src/clients/velocity/client.ts';
import type { EdgePlan, TargetOf } from '../../src/machines/instance/edge-types.ts';
import {
  createEdgePerformers,
  type EdgeOptions,
  type RouterSight,
} from '../../src/queues/effects/edge.ts';
import type { Perform, ToldEvent } from '../../src/queues/effects/performer.ts';

export const SECRET = 'shared-with-the-bridge';
export type DnsKind = 'internal_dns' | 'public_dns';
export const ZONES: Readonly<Record<DnsKind, string>> = {
  internal_dns: 'zpack.internal',
  public_dns: 'zpack.example',
};

/** Where an instance is published in DNS. */
export const nameSpec = <Kind extends DnsKind>(kind: Kind, vmid = 5001) =>
  ({
    kind,
    name: `mc-${vmid}.${ZONES[kind]}`,
    ...{ address: '192.0.2.1', service: '_minecraft._tcp', port: 25_565 },
  }) as unknown as TargetOf<Kind>;
export const forwardSpec = (port = 28_015): TargetOf<'forward'> => ({
  ...{ kind: 'forward', protocol: 'udp', port, targetIp: '10.0.3.7', targetPort: port },
});
export const routerSpec = (port = 28_015): TargetOf<'router'> => ({
  ...{ kind: 'router', entryPoint: `rust-${port}`, protocol: 'udp', port, backendPort: 28_015 },
});
export const planOf = (vmid: number): EdgePlan => ({
  targets: [nameSpec('internal_dns', vmid), nameSpec('public_dns', vmid)],
  proxy: { serverName: `mc-${vmid}`, backendPort: 25_565 },
});

/** The third parties of the edge, and clients of them. */
export async function setUpParties(options: Partial<VelocityOptions> = {}) {
  await using opened = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'zpack-parties-'));
  opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  const technitium = opened.use(await startTechnitium({ dataDir }));
  const cloudflare = opened.use(await startCloudflare({ dataDir }));
  const opnsense = opened.use(await startOpnsense({ dataDir }));
  const velocity = opened.use(await startVelocity({ secret: SECRET, ...options }));

  /** As another node would. */
  const connect = (timeoutMs = 5_000) => {
    const { key, secret } = opnsense;
    const { token, zoneId, zone } = cloudflare;
    return {
      internalDns: closing.use(
        createTechnitiumClient({ ...ofTechnitium, baseUrl: technitium.url, timeoutMs }),
      ),
      publicDns: closing.use(
        createCloudflareClient({ baseUrl: cloudflare.url, token, zoneId, zone, timeoutMs }),
      ),
      opnsense: closing.use(
        createOpnsenseClient({ baseUrl: opnsense.url, key, secret, timeoutMs }),
      ),
      velocity: closing.use(
        createVelocityClient({ baseUrl: velocity.url, secret: SECRET, timeoutMs }),
      ),
    };
  };
  const ofTechnitium = { token: technitium.token, zone: technitium.zone };
  const closing = opened.move();
  return {
    ...{ technitium, cloudflare, opnsense, velocity, connect },
    dns: { internal_dns: technitium, public_dns: cloudflare },
    /** All that is in a zone beside the name server. */
    inZone: (kind: DnsKind) =>
      (kind === 'internal_dns' ? technitium : cloudflare)
        .records()
        .filter(({ type }) => type !== 'NS')
        .map(({ type, name }) => `${type} ${name}`)
        .sort(),
    /** As somebody else would, with a remark or without. */
    addByHand(kind: DnsKind, name: string, { content = '198.51.100.9', comment = '' } = {}) {
      if (kind === 'internal_dns')
        technitium.addByHand({ domain: name, type: 'A', ipAddress: content, comments: comment });
      else cloudflare.addByHand({ name, type: 'A', content, ttl: 60, comment });
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

export type EdgePerformers = ReturnType<typeof createEdgePerformers>;
export type EdgeEffectKind = keyof EdgePerformers;

/** Performs effects as a worker would; each call has an operation of its own. */
export function createEdgeNode(clients: Partial<EdgeOptions>, router?: RouterSight) {
  const performers = createEdgePerformers({
    ...{ internalDns: undefined, publicDns: undefined, opnsense: undefined, velocity: undefined },
    ...clients,
    router,
    pollMs: 5,
    routerTimeoutMs: 100,
  });
  return {
    performers,
    perform(
      kind: EdgeEffectKind,
      fields: object = {},
      { id = '5001-aaaa0001', signal = AbortSignal.timeout(20_000) } = {},
    ): Promise<ToldEvent> {
      const effect = { kind, opId: '7', vmid: Number.parseInt(id, 10), id, ...fields };
      const act = performers[kind] as Perform<EdgeEffectKind>;
      return act(effect as never, { upid: null, ageMs: 0, signal, progress: async () => {} });
    },
  };
}
