import type { EdgePlan, TargetSpec } from '../machines/instance/edge-types.ts';
import type { Payload } from '../machines/instance/types.ts';
import type { EdgePortRange, EdgePorts } from '../storage/edge-ports.ts';

/** What of the configuration says where instances are published. */
export interface EdgeConfig {
  readonly technitium: Zone | undefined;
  readonly cloudflare: Zone | undefined;
  readonly opnsense: { readonly targetIp: string } | undefined;
  /** `port`: where players connect to. */
  readonly velocity: { readonly port: number } | undefined;
  readonly traefik: { readonly entryPoints: Readonly<Record<string, EdgePortRange>> } | undefined;
}

interface Zone {
  readonly zone: string;
  readonly address: string;
}

export interface PlannedInstance {
  readonly hostname: string;
  readonly allocatedPorts: readonly number[];
  readonly payload: Pick<Payload, 'game'>;
}

/** null: Traefik does not lead to this game. */
function portRangeOf({ traefik, velocity }: EdgeConfig, game: string | null): EdgePortRange | null {
  if (game === null || (game === 'minecraft' && velocity)) return null;
  return traefik?.entryPoints[game] ?? null;
}

/** The operator names the entry points so in Traefik's static configuration. */
const entryPointOf = (game: string, port: number): string => `${game}-${port}`;

/**
 * Where an instance is to be published, by configuration and game. `port`: the one it was given
 * at Traefik, if it was. What is not configured is not in the plan, and so cannot fail.
 */
export function planEdge(
  config: EdgeConfig,
  { hostname, allocatedPorts, payload: { game } }: PlannedInstance,
  port: number | null,
): EdgePlan {
  const [backendPort] = allocatedPorts;
  if (game === null || backendPort === undefined) return { targets: [], proxy: null };
  const { velocity } = config;
  if (game === 'minecraft' && velocity) {
    const place = { service: '_minecraft._tcp', port: velocity.port };
    return {
      targets: namesOf(config, hostname, place),
      proxy: { serverName: hostname, backendPort },
    };
  }
  const range = portRangeOf(config, game);
  if (range === null || port === null) return { targets: [], proxy: null };
  const { protocol } = range;
  const { opnsense } = config;
  return {
    targets: [
      { kind: 'router', entryPoint: entryPointOf(game, port), protocol, port, backendPort },
      ...(opnsense
        ? [
            {
              kind: 'forward',
              protocol,
              port,
              targetIp: opnsense.targetIp,
              targetPort: port,
            } as const,
          ]
        : []),
      ...namesOf(config, hostname, { service: `_${game}._${protocol}`, port }),
    ],
    proxy: null,
  };
}

function namesOf(
  { technitium, cloudflare }: EdgeConfig,
  hostname: string,
  place: { readonly service: string; readonly port: number },
): readonly TargetSpec[] {
  const nameIn = (zone: string) => `${hostname}.${zone}`;
  const inside = technitium && { address: technitium.address, name: nameIn(technitium.zone) };
  const outside = cloudflare && { address: cloudflare.address, name: nameIn(cloudflare.zone) };
  return [
    ...(inside ? [{ kind: 'internal_dns', ...inside, ...place } as const] : []),
    ...(outside ? [{ kind: 'public_dns', ...outside, ...place } as const] : []),
  ];
}

/** Plans with a port of its own, where one is needed; it keeps the one that it has. */
export type PlanEdge = (instanceId: string, instance: PlannedInstance) => Promise<EdgePlan>;

export const createEdgePlanning =
  (config: EdgeConfig, ports: Pick<EdgePorts, 'reserve'>): PlanEdge =>
  async (instanceId, instance) => {
    const range = portRangeOf(config, instance.payload.game);
    return planEdge(config, instance, range && (await ports.reserve(range, instanceId)));
  };
