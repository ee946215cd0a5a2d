import type { Target } from './edge-types.ts';

export interface InstanceRoute {
  readonly name: string;
  readonly entryPoint: string;
  readonly protocol: 'tcp' | 'udp';
  readonly ip: string;
  readonly port: number;
}

/**
 * Where a router is to lead to an instance, from the step that asks for it to the one that takes
 * it back. While its address is not known it leads nowhere, since the old one may be somebody
 * else's.
 */
export function routeOf({
  hostname,
  ip,
  targets,
}: {
  readonly hostname: string;
  readonly ip: string | null;
  readonly targets: readonly Target[];
}): InstanceRoute | null {
  const target = targets.find(({ spec }) => spec.kind === 'router');
  if (target?.spec.kind !== 'router' || ip === null || !LEADS.has(target.state)) return null;
  const { entryPoint, protocol, backendPort: port } = target.spec;
  return { name: hostname, entryPoint, protocol, ip, port };
}

/** `failed`: Traefik has not asked for it yet; it may do so at any time. */
const LEADS: ReadonlySet<string> = new Set(['publishing', 'published', 'failed']);
