import type { ActorDefinition } from '../../src/actors/definition.ts';
import { definitions } from '../../src/machines/index.ts';
import type { EdgePlan } from '../../src/machines/instance/edge-types.ts';

/** The one machine, of an instance that is published by DNS and Velocity, and of one that is not. */
export const MACHINE_NAMES = ['published', 'plain'] as const;
export type MachineName = (typeof MACHINE_NAMES)[number];

export const MACHINES: Readonly<Record<MachineName, ActorDefinition>> = {
  published: definitions.instance,
  plain: definitions.instance,
};

export const PLANS: Readonly<Record<MachineName, EdgePlan>> = {
  published: {
    targets: [
      {
        kind: 'public_dns',
        name: 'mc-vanilla-5001.zpack.example',
        address: '192.0.2.1',
        service: '_minecraft._tcp',
        port: 25_565,
      },
    ],
    proxy: { serverName: 'mc-vanilla-5001', backendPort: 25_565 },
  },
  plain: { targets: [], proxy: null },
};
