import { planned } from './edge-steps.ts';
import { agent } from './regions/agent.ts';
import { edge } from './regions/edge.ts';
import { entitlement } from './regions/entitlement.ts';
import { host } from './regions/host.ts';
import { maintenance } from './regions/maintenance.ts';
import { provisioning } from './regions/provisioning.ts';
import { proxy } from './regions/proxy.ts';
import { recovery } from './regions/recovery.ts';
import { instanceSetup } from './setup.ts';

/**
 * The life of one container. The regions run side by side, share one mailbox and never target
 * each other's states: what one needs of another it asks through a guard of setup.ts.
 */
export const instanceMachine = instanceSetup.createMachine({
  id: 'instance',
  type: 'parallel',
  context: ({ input: { operation, at, plan, ...order } }) => ({
    ...order,
    payload: { ...order.payload, ...planned(plan, at) },
    node: null,
    ip: null,
    opSeq: 0,
    attempts: { provisioning: 0, host: 0, edge: 0, proxy: 0 },
    setbacks: { provisioning: null, host: null },
    ops: { host: null, agent: null, proxy: null, backup: null, edge: {} },
    operation: { ...operation, kind: 'create', state: 'running', acceptedAt: at, finishedAt: null },
    hostOperation: null,
    edgeOperation: null,
    tasks: [],
    sighting: { lock: null, drift: null },
    failure: null,
    hostFailure: null,
    debts: [],
    agent: {
      readySource: null,
      installStep: null,
      state: null,
      crashCount: 0,
      reportedCrashes: null,
      lastCrashAt: null,
      lastSeenAt: null,
    },
    restartedAt: [],
    maintenance: { operation: null, wasRunning: false, attempts: 0 },
    entitlement: { order: 0, suspendedAt: null, reason: null, wantsRunning: false },
  }),
  states: { provisioning, agent, host, recovery, edge, proxy, entitlement, maintenance },
  // An endless chain of `always` is a bug of ours: it must end as an error, not as a hang.
  options: { maxIterations: 100 },
});
