import { z } from 'zod';

import type { InstanceInput } from '../machines/instance/types.ts';

/** What the games of the catalogue listen on, when an order names no port. */
const GAME_PORTS: Readonly<Record<string, number>> = {
  minecraft: 25_565,
  rust: 28_015,
  terraria: 7_777,
  projectzomboid: 16_261,
  valheim: 2_456,
  palworld: 8_211,
};
const DEFAULT_CORES = 2;

/** A name that becomes part of a path on the artifact server and of a hostname. */
const slug = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'expected lower-case letters, digits and dashes');
const version = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$/, 'expected a version such as 1.21.4');

const common = {
  memoryMiB: z.number().int().min(256).max(262_144),
  cpuCores: z.number().int().min(1).max(128).default(DEFAULT_CORES),
  customerId: z.string().optional().describe('Ignored, except from an administrator'),
};

const gameOrder = z.object({
  ctype: z.literal('game'),
  game: slug,
  variant: slug.default('vanilla'),
  version,
  world: z
    .string()
    .regex(/^[\w -]{1,64}$/, 'expected letters, digits, spaces and dashes')
    .optional(),
  ports: z.array(z.number().int().min(1).max(65_535)).min(1).max(16).optional(),
  ...common,
});
const devOrder = z.object({ ctype: z.literal('dev'), runtime: slug, version, ...common });

/** `container_type` and `containerType` are older spellings of `ctype`. */
function spellCtype(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const { container_type, containerType, ...rest } = body as Record<string, unknown>;
  return { ctype: container_type ?? containerType, ...rest };
}

export const instanceOrder = z.preprocess(
  spellCtype,
  z.discriminatedUnion('ctype', [gameOrder, devOrder]),
);

export type InstanceOrder = z.output<typeof instanceOrder>;

const hostnameOf = (order: InstanceOrder, vmid: number): string => {
  if (order.ctype === 'dev') return `dev-${vmid}`;
  return order.game === 'minecraft' ? `mc-${order.variant}-${vmid}` : `${order.game}-${vmid}`;
};

/** From what was ordered to what the actor of the new instance begins with. */
export function toInput(
  order: InstanceOrder,
  life: Pick<
    InstanceInput,
    'id' | 'vmid' | 'customerId' | 'operation' | 'readyDeadlineMs' | 'restarts' | 'at'
  >,
): Omit<InstanceInput, 'plan'> {
  const isGame = order.ctype === 'game';
  const defaultPort = isGame ? GAME_PORTS[order.game] : undefined;
  const payload: InstanceInput['payload'] = {
    game: isGame ? order.game : null,
    variant: isGame ? order.variant : null,
    runtime: isGame ? null : order.runtime,
    version: order.version,
    world: (isGame && order.world) || null,
    memoryMiB: order.memoryMiB,
    cpuCores: order.cpuCores,
  };
  return {
    ...life,
    ctype: order.ctype,
    hostname: hostnameOf(order, life.vmid),
    engineType: isGame ? order.game : order.runtime,
    allocatedPorts: (isGame && order.ports) || (defaultPort === undefined ? [] : [defaultPort]),
    payload,
  };
}
