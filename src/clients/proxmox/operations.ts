import type { ContainerConfig, ContainerReads, Place } from './reads.ts';
import type { BegunSearch, Starter } from './starter.ts';
import type { Task, TaskCalls } from './tasks.ts';
import type { Transport } from './transport.ts';
import type { Upid } from './upid.ts';

export interface CloneContainer {
  /** Where the template is. */
  readonly node: string;
  readonly templateVmid: number;
  readonly vmid: number;
  readonly hostname: string;
  readonly description: string;
  readonly storage?: string | undefined;
  /** The node to put the clone on, if it is another; needs shared storage. */
  readonly target?: string | undefined;
  readonly pool?: string | undefined;
}

export interface ConfigureContainer extends Place {
  readonly cores: number;
  readonly memoryMiB: number;
  /** A property string: "name=eth0,bridge=vmbr3,ip=dhcp". */
  readonly net0: string;
  readonly tags?: readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly onboot?: boolean | undefined;
}

/**
 * Each answers the UPID of the task that does the work: whether it succeeded, `awaitTask` tells.
 * Nothing is ever asked for twice: if the answer is lost and the task cannot be found, the reason
 * is `no_answer`, and the caller looks at the container before it asks again.
 */
export interface ContainerOperations {
  /** A full clone. It is locked (`create`) and may be on the template's node until it is done. */
  cloneContainer(clone: CloneContainer): Promise<Upid>;
  /** Done on return. Idempotent. Of a running container some settings change at the next start. */
  configureContainer(settings: ConfigureContainer): Promise<void>;
  startContainer(place: Place): Promise<Upid>;
  /** At once, like pulling the plug. */
  stopContainer(place: Place): Promise<Upid>;
  /** Asks the container to end itself; with `forceStop` it is stopped after `timeoutS`. */
  shutdownContainer(place: Place & { timeoutS: number; forceStop: boolean }): Promise<Upid>;
  rebootContainer(place: Place & { timeoutS?: number }): Promise<Upid>;
  /** The newest task of that kind that we began within the last `ageMs`, but for those `known`. */
  findPowerTask(place: Place, task: PowerTask, search: BegunSearch): Promise<Task | null>;
  /** `force`: although it runs. `purge`: also from backup jobs, replication and HA. */
  destroyContainer(place: Place & { force: boolean; purge: boolean }): Promise<Upid>;
}

export interface OperationParts {
  readonly transport: Transport;
  readonly starter: Starter;
  readonly reads: Pick<ContainerReads, 'readConfig'>;
  readonly tasks: Pick<TaskCalls, 'readTaskLog'>;
}

/** What the task is called; the second where high availability takes the order over. */
const POWER_TYPES = {
  start: ['vzstart', 'hastart'],
  stop: ['vzstop', 'hastop'],
  shutdown: ['vzshutdown', 'hastop'],
  reboot: ['vzreboot'],
} as const;

export type PowerTask = keyof typeof POWER_TYPES;

const pathOf = ({ node, vmid }: Place) => `/nodes/${encodeURIComponent(node)}/lxc/${vmid}`;

export function createOperations(parts: OperationParts): ContainerOperations {
  const { transport, starter } = parts;

  function post({ node, vmid }: Place, verb: PowerTask, parameters = {}) {
    const path = `${pathOf({ node, vmid })}/status/${verb}`;
    const call = { method: 'POST', path, parameters } as const;
    return starter.start({ call, node, vmid, types: POWER_TYPES[verb] });
  }

  return {
    cloneContainer: (clone) => startClone(parts, clone),
    async configureContainer({ node, vmid, cores, memoryMiB, net0, tags, description, onboot }) {
      const parameters = {
        cores,
        memory: memoryMiB,
        net0,
        tags: tags?.join(';'),
        description,
        onboot,
      };
      await transport.call({ method: 'PUT', path: `${pathOf({ node, vmid })}/config`, parameters });
    },
    startContainer: (place) => post(place, 'start'),
    stopContainer: (place) => post(place, 'stop'),
    shutdownContainer: ({ timeoutS, forceStop, ...place }) =>
      post(place, 'shutdown', { timeout: timeoutS, forceStop }),
    rebootContainer: ({ timeoutS, ...place }) => post(place, 'reboot', { timeout: timeoutS }),
    destroyContainer({ node, vmid, force, purge }) {
      const path = pathOf({ node, vmid });
      const call = { method: 'DELETE', path, parameters: { force, purge } } as const;
      return starter.start({ call, node, vmid, types: ['vzdestroy'] });
    },
    findPowerTask: ({ node, vmid }, task, search) =>
      starter.findBegun({ node, vmid, types: POWER_TYPES[task] }, search),
  };
}

function startClone({ starter, reads, tasks }: OperationParts, clone: CloneContainer) {
  const { node, templateVmid, vmid, hostname, description, storage, target, pool } = clone;
  const path = `${pathOf({ node, vmid: templateVmid })}/clone`;
  const parameters = { newid: vmid, full: true, hostname, description, storage, target, pool };

  /** The container that this clone makes, as long as nobody else's words are on it. */
  async function findOurs(): Promise<ContainerConfig | null> {
    const found =
      (await reads.readConfig({ node, vmid })) ??
      (target === undefined ? null : await reads.readConfig({ node: target, vmid }));
    const fits = (text: string | null, wanted: string) => text === null || text === wanted;
    if (!found || !fits(found.hostname, hostname)) return null;
    return fits(found.description, description.trimEnd()) ? found : null;
  }

  /** The task carries the template's number, and others may clone the same template. */
  async function choose(candidates: readonly Task[]): Promise<Task | null> {
    if (candidates.length < 2) return candidates[0] ?? null;
    const mention = new RegExp(`\\b${vmid}\\b`);
    const logs = await Promise.all(candidates.map(({ upid }) => tasks.readTaskLog(upid)));
    const named = candidates.filter((_, i) => logs[i]?.lines.some((line) => mention.test(line)));
    if (named.length === 1) return named[0] ?? null;
    // A clone holds the lock of its template, so of all that may run, the one that does is ours.
    const running = candidates.filter(({ exitstatus }) => exitstatus === null);
    const isBeingMade = (await findOurs())?.lock === 'create';
    return isBeingMade && running.length === 1 ? (running[0] ?? null) : null;
  }

  const hasBegun = async () => (await findOurs()) !== null;
  const call = { method: 'POST', path, parameters } as const;
  return starter.start({ call, node, vmid: templateVmid, types: ['vzclone'], hasBegun, choose });
}
