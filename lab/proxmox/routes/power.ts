import type { Endpoint } from '../endpoint.ts';
import { reboot, shutdown, start, stop } from '../operations/power.ts';
import { TABLES } from '../parameter-tables.ts';
import { containerView } from '../views.ts';
import { containerOf } from './containers.ts';

const STATUS = '/nodes/{node}/lxc/{vmid}/status';

export const powerEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: `${STATUS}/current`,
    parameters: TABLES.onContainer,
    handle: (call) => ({
      ...containerView(call.cluster, containerOf(call)),
      ha: { managed: 0 },
    }),
  },
  {
    method: 'POST',
    path: `${STATUS}/start`,
    parameters: TABLES.start,
    handle: (call) =>
      start(call.cluster, call.origin, containerOf(call), {
        skiplock: call.parameters.flag('skiplock') ?? false,
      }),
  },
  {
    method: 'POST',
    path: `${STATUS}/stop`,
    parameters: TABLES.stop,
    handle: (call) =>
      stop(call.cluster, call.origin, containerOf(call), {
        skiplock: call.parameters.flag('skiplock') ?? false,
        overrule: call.parameters.flag('overrule-shutdown') ?? false,
      }),
  },
  {
    method: 'POST',
    path: `${STATUS}/shutdown`,
    parameters: TABLES.shutdown,
    handle: (call) =>
      shutdown(call.cluster, call.origin, containerOf(call), {
        timeoutS: call.parameters.integer('timeout'),
        forceStop: call.parameters.flag('forceStop') ?? false,
      }),
  },
  {
    method: 'POST',
    path: `${STATUS}/reboot`,
    parameters: TABLES.reboot,
    handle: (call) =>
      reboot(call.cluster, call.origin, containerOf(call), {
        timeoutS: call.parameters.integer('timeout'),
      }),
  },
];
