import type { AnyStateMachine } from 'xstate';

import type { ActorDefinition } from '../../src/actors/definition.ts';
import { definitions } from '../../src/machines/index.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { instanceSetup } from '../../src/machines/instance/setup.ts';
import type { Effect, InstanceContext } from '../../src/machines/instance/types.ts';

const withDelays = instanceSetup.extend({ delays: { callDeadline: 60_000 } });

/** An effect of a region that src has not got: of the shape and about the size of a real one. */
const effect = (kind: string) =>
  ({
    type: 'effect',
    params: ({ context: { id, vmid, hostname, ip } }: { context: InstanceContext }) => ({
      effect: { kind, opId: '0', id, vmid, hostname, ip } as unknown as Effect,
    }),
  }) as const;

const edge = {
  initial: 'unpublished',
  states: {
    unpublished: { always: { guard: 'isAgentReady', target: 'publishing' } },
    publishing: {
      tags: 'transient',
      entry: effect('edge.publish'),
      on: { 'edge.published': 'published' },
      after: { callDeadline: 'published' },
    },
    published: { on: { 'edge.drifted': 'publishing' } },
  },
};

const proxy = {
  initial: 'deregistered',
  states: {
    deregistered: { always: { guard: 'isAgentReady', target: 'registering' } },
    registering: {
      tags: 'transient',
      entry: effect('proxy.register'),
      on: { 'proxy.registered': 'registered' },
      after: { callDeadline: 'registered' },
    },
    registered: { always: { guard: 'isHostDown', target: 'deregistering' } },
    deregistering: {
      tags: 'transient',
      entry: effect('proxy.deregister'),
      on: { 'proxy.deregistered': 'deregistered' },
      after: { callDeadline: 'deregistered' },
    },
  },
};

/**
 * The real machine and two more regions like those that are to come, so that the figures of
 * today can be compared with those of the finished machine.
 */
const fiveRegions = withDelays.createMachine({
  ...instanceMachine.config,
  states: { ...instanceMachine.config.states, edge, proxy },
} as never);

export const MACHINES: Readonly<Record<MachineName, ActorDefinition>> = {
  five: { ...definitions.instance, machine: fiveRegions as unknown as AnyStateMachine },
  real: definitions.instance,
};

export const MACHINE_NAMES = ['five', 'real'] as const;
export type MachineName = (typeof MACHINE_NAMES)[number];
