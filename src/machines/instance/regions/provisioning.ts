import { rememberAddress } from '../power-steps.ts';
import { instanceSetup } from '../setup.ts';
import {
  acceptWish,
  at,
  beginAgentOp,
  beginHostOp,
  failProvisioning,
  failProvisioningByHost,
  noteSetback,
  oweContainer,
  releaseAgentLane,
  releaseHostLane,
  releaseLanes,
  rememberTask,
  resetAttempts,
  succeed,
} from '../steps.ts';
import type { InstanceContext, InstanceEvent } from '../types.ts';

interface Scope {
  readonly context: InstanceContext;
  readonly event: InstanceEvent;
}

/** What the agent is to install; where it is published is none of its business. */
function orderOf({ payload: { edge: _, proxy: __, ...order } }: InstanceContext) {
  return order;
}

const nodeOf = ({ context, event }: Scope) =>
  event.type === 'container.cloned' ? event.node : context.node;

const repeats = {
  guard: 'mayRepeat',
  target: '.pausing',
  actions: noteSetback('provisioning'),
} as const;
const performAgain = { after: { provisioningPause: 'performing' } } as const;

/**
 * Provisioning: from an order to a container that is ready to be used, and back to nothing.
 *
 * The steps follow each other in the order of the states. A step is `performing` until its
 * answer comes, or `pausing` between two attempts; its deadline covers all attempts. Power is
 * not ours: `booting` waits for the host region. A deletion may come at any time: it lets a
 * call that changes the container end first, so that nothing is created behind its back.
 */
export const provisioning = instanceSetup.createStateConfig({
  initial: 'cloning',
  states: {
    cloning: {
      description: 'The template is cloned into a new container',
      tags: 'transient',
      entry: resetAttempts('provisioning'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginHostOp('provisioning', 'clone', 'container.clone', ({ hostname }) => ({
            hostname,
          })),
        },
        pausing: { entry: releaseHostLane, ...performAgain },
      },
      on: {
        'task.started': { guard: 'isHostOp', actions: rememberTask },
        'container.cloned': {
          guard: 'isHostOp',
          target: 'configuring',
          actions: [releaseHostLane, instanceSetup.assign({ node: nodeOf })],
        },
        'effect.failed': [
          repeats,
          { guard: 'isHostOp', target: 'failed', actions: failProvisioning('clone') },
        ],
        'delete.requested': 'deleting',
      },
      after: { cloneDeadline: { target: 'failed', actions: failProvisioning('clone') } },
    },
    configuring: {
      description: 'Cores, memory and network are set',
      tags: 'transient',
      entry: resetAttempts('provisioning'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginHostOp('provisioning', 'configure', 'container.configure', (context) => ({
            node: context.node ?? '',
            ctype: context.ctype,
            cpuCores: context.payload.cpuCores,
            memoryMiB: context.payload.memoryMiB,
          })),
        },
        pausing: { entry: releaseHostLane, ...performAgain },
      },
      on: {
        'container.configured': {
          guard: 'isHostOp',
          target: 'booting',
          actions: releaseHostLane,
        },
        'effect.failed': [
          repeats,
          { guard: 'isHostOp', target: 'failed', actions: failProvisioning('configure') },
        ],
        'delete.requested': 'deleting',
      },
      after: { configureDeadline: { target: 'failed', actions: failProvisioning('configure') } },
    },
    booting: {
      description: 'Waits until the host region has started the container',
      tags: 'transient',
      always: [
        { guard: 'isHostRunning', target: 'addressing' },
        { guard: 'isHostLost', target: 'failed', actions: failProvisioningByHost('start') },
      ],
      on: { 'delete.requested': 'deleting' },
      after: { bootDeadline: { target: 'failed', actions: failProvisioningByHost('start') } },
    },
    addressing: {
      description: 'Waits for an IPv4 address by DHCP',
      tags: 'transient',
      entry: resetAttempts('provisioning'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginHostOp('provisioning', 'address', 'container.address', at),
        },
        pausing: { entry: releaseHostLane, ...performAgain },
      },
      always: {
        guard: 'isHostDown',
        target: 'failed',
        actions: [releaseLanes, failProvisioningByHost('address')],
      },
      on: {
        'address.found': {
          guard: 'isHostOp',
          target: 'installing',
          actions: [releaseHostLane, rememberAddress],
        },
        'effect.failed': [
          repeats,
          { guard: 'isHostOp', target: 'failed', actions: failProvisioning('address') },
        ],
        'delete.requested': { target: 'deleting', actions: releaseHostLane },
      },
      after: { addressDeadline: { target: 'failed', actions: failProvisioning('address') } },
    },
    installing: {
      description: 'The agent is told what to install',
      tags: 'transient',
      entry: resetAttempts('provisioning'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginAgentOp('configure', 'agent.configure', (context) => ({
            ip: context.ip ?? '',
            ctype: context.ctype,
            ports: context.allocatedPorts,
            payload: orderOf(context),
          })),
        },
        pausing: { entry: releaseAgentLane, ...performAgain },
      },
      always: {
        guard: 'isHostDown',
        target: 'failed',
        actions: failProvisioningByHost('install'),
      },
      on: {
        'agent.configured': {
          guard: 'isAgentOp',
          target: 'readying',
          actions: releaseAgentLane,
        },
        'effect.failed': [
          repeats,
          { guard: 'isAgentOp', target: 'failed', actions: failProvisioning('install') },
        ],
        'delete.requested': 'deleting',
      },
      after: { installDeadline: { target: 'failed', actions: failProvisioning('install') } },
    },
    readying: {
      description: 'Waits until the agent says that it can be used',
      tags: 'transient',
      entry: resetAttempts('provisioning'),
      initial: 'performing',
      states: {
        performing: {
          entry: beginAgentOp('await', 'agent.await', ({ ip }) => ({ ip: ip ?? '' })),
        },
        pausing: { entry: releaseAgentLane, ...performAgain },
      },
      // Liveness is not enough: only the agent's own word that players can use it.
      always: [
        { guard: 'isAgentReady', target: 'ready', actions: succeed },
        { guard: 'isHostDown', target: 'failed', actions: failProvisioningByHost('ready') },
      ],
      on: {
        'effect.failed': [
          repeats,
          { guard: 'isAgentOp', target: 'failed', actions: failProvisioning('ready') },
        ],
        'delete.requested': 'deleting',
      },
      after: { readyDeadline: { target: 'failed', actions: failProvisioning('ready') } },
    },
    ready: {
      description: 'In service',
      on: { 'delete.requested': { guard: 'mayDelete', target: 'deleting' } },
    },
    failed: {
      description: 'A step failed for good; the failure says which and why',
      on: {
        // A failed start, address, install or readiness begins again with power.
        'retry.requested': [
          { guard: 'mayCloneAgain', target: 'cloning', actions: acceptWish('retry') },
          { guard: 'mayConfigureAgain', target: 'configuring', actions: acceptWish('retry') },
          { guard: 'mayBootAgain', target: 'booting', actions: acceptWish('retry') },
        ],
        'delete.requested': 'deleting',
      },
    },
    deleting: {
      description: 'On the way to nothing',
      tags: 'transient',
      entry: [acceptWish('delete'), releaseAgentLane],
      initial: 'settling',
      states: {
        settling: {
          description: 'Lets a call in flight end, and the host region stop the container',
          always: { guard: 'isReadyToDestroy', target: 'destroying' },
          on: {
            'container.cloned': {
              guard: 'isHostOp',
              actions: [releaseHostLane, instanceSetup.assign({ node: nodeOf })],
            },
            'container.configured': { guard: 'isHostOp', actions: releaseHostLane },
            'effect.failed': { guard: 'isProvisioningOp', actions: releaseHostLane },
          },
          after: { settleDeadline: { target: 'destroying', actions: releaseHostLane } },
        },
        destroying: {
          description: 'The container is removed, if it is ours',
          entry: resetAttempts('provisioning'),
          initial: 'performing',
          states: {
            performing: {
              entry: beginHostOp('provisioning', 'destroy', 'container.destroy', at),
            },
            pausing: { entry: releaseHostLane, ...performAgain },
          },
          on: {
            'task.started': { guard: 'isHostOp', actions: rememberTask },
            'container.destroyed': {
              guard: 'isHostOp',
              target: 'releasing',
              actions: releaseLanes,
            },
            'effect.failed': [
              repeats,
              { guard: 'isHostOp', target: 'releasing', actions: [oweContainer, releaseLanes] },
            ],
          },
          after: {
            destroyDeadline: { target: 'releasing', actions: [oweContainer, releaseLanes] },
          },
        },
        releasing: {
          description: 'Waits until nothing of it is known outside, or all of that is owed',
          always: {
            guard: 'isUnpublished',
            target: '#instance.provisioning.deleted',
            actions: succeed,
          },
          after: {
            releaseDeadline: {
              target: '#instance.provisioning.deleted',
              actions: succeed,
            },
          },
        },
      },
    },
    deleted: {
      description: 'Gone, or owed: only the archive is left',
      tags: 'archived',
    },
  },
});
