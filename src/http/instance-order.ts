import { z } from 'zod';

import type { InstanceInput } from '../machines/instance/types.ts';

// A form reads them as well, by the flag `v`, which wants no dash in a class.
const SLUG = /^[a-z0-9](?:[a-z0-9]|-){0,30}$/;
const VERSION = /^[0-9A-Za-z](?:[\w.]|-){0,31}$/;

/**
 * What can be ordered. Games and variants beside these are tried as they are: whether they exist, the
 * artifact server says.
 */
export const CATALOGUE = {
  games: [
    {
      id: 'minecraft',
      port: 25_565,
      variants: ['vanilla', 'paper', 'purpur', 'fabric', 'forge', 'neoforge'],
    },
    { id: 'rust', port: 28_015, variants: ['vanilla'] },
    { id: 'terraria', port: 7_777, variants: ['vanilla'] },
    { id: 'projectzomboid', port: 16_261, variants: ['vanilla'] },
    { id: 'valheim', port: 2_456, variants: ['vanilla'] },
    { id: 'palworld', port: 8_211, variants: ['vanilla'] },
  ],
  memoryMiB: { min: 256, max: 262_144 },
  cpuCores: { min: 1, max: 128, default: 2 },
  ports: { min: 1, max: 65_535, most: 16 },
  version: VERSION.source,
  runtime: SLUG.source,
} as const;

/** A name that becomes part of a path on the artifact server and of a hostname. */
const slug = z.string().regex(SLUG, 'expected lower-case letters, digits and dashes');
const version = z.string().regex(VERSION, 'expected a version such as 1.21.4');

const within = ({ min, max }: { readonly min: number; readonly max: number }) =>
  z.number().int().min(min).max(max);

const common = {
  memoryMiB: within(CATALOGUE.memoryMiB),
  cpuCores: within(CATALOGUE.cpuCores).default(CATALOGUE.cpuCores.default),
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
  ports: z.array(within(CATALOGUE.ports)).min(1).max(CATALOGUE.ports.most).optional(),
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
  const defaultPort = CATALOGUE.games.find(({ id }) => isGame && id === order.game)?.port;
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
