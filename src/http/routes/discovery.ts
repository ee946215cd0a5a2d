import { z } from 'zod';

import type { Fleet, FleetEntry } from '../../view/fleet.ts';
import { gateFor } from '../auth/own-token.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';

/** Where a node exporter listens, by its convention. */
const EXPORTER_PORT = 9_100;

const targetGroup = z
  .object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) })
  .meta({ id: 'TargetGroup', description: 'As Prometheus wants them for `http_sd_configs`' });

/** The exporters of all containers that are on, for Prometheus to find. */
export function discoveryEndpoints({
  fleet,
  token,
}: {
  readonly fleet: Pick<Fleet, 'select'>;
  readonly token: string | undefined;
}): readonly AnyEndpoint[] {
  return [
    publicEndpoint({
      operationId: 'discoverExporters',
      summary: 'Targets for Prometheus (HTTP service discovery)',
      tag: 'monitoring',
      method: 'get',
      path: '/sd/exporters',
      params: nothing,
      query: nothing,
      body: nothing,
      gate: gateFor(token, 'PROM_SD_TOKEN'),
      replies: { 200: z.array(targetGroup) },
      problems: ['unauthenticated', 'not_found'],
      async handle() {
        const entries = fleet.select({ customerId: null });
        return { status: 200, body: entries.flatMap(toGroup) };
      },
    }),
  ];
}

function toGroup({ vmid, customerId, state }: FleetEntry) {
  const { ip, ctype, hostname, node, payload } = state.context;
  if (ip === null || state.value['host'] !== 'running') return [];
  const labels = {
    vmid: String(vmid),
    customerId,
    ctype,
    hostname,
    node,
    game: payload.game,
    variant: payload.variant,
    runtime: payload.runtime,
  };
  const said = Object.entries(labels).filter(([, value]) => value !== null);
  return [{ targets: [`${ip}:${EXPORTER_PORT}`], labels: Object.fromEntries(said) }];
}
