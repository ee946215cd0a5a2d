import type { AddressBlock } from './addresses.ts';
import type { Container, Containers } from './containers.ts';
import type { Delays } from './options.ts';
import { type ContainerProcesses, spawnContainer } from './processes.ts';

/** Turns containers on and off, and notices when one ends by itself. */
export interface Power {
  start(container: Container): void;
  kill(container: Container): Promise<void>;
  /** Asks the container to end; true when it did within the time. */
  terminate(container: Container, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  isRunning(container: Container): boolean;
  /** The IPv4 address, once the container has one. */
  addressOf(container: Container): string | undefined;
  killAll(): Promise<void>;
}

interface Dependencies {
  readonly containers: Containers;
  readonly block: AddressBlock;
  readonly delays: Delays;
  readonly agentToken: string | undefined;
  readonly agentProgram: string | undefined;
  readonly hasCodeServer: boolean;
  readonly log: (line: string) => void;
}

export function createPower(dependencies: Dependencies): Power {
  const { containers, block, delays, log } = dependencies;
  let closing = false;

  function start(container: Container): void {
    if (container.processes || closing) return;
    containers.on(container.node, container.vmid);
    const processes = spawnContainer({
      program: dependencies.agentProgram,
      host: block.address(container.addressOffset),
      rootfs: container.rootfs,
      token: dependencies.agentToken,
      stepMs: delays.installStepMs,
      hasCodeServer: dependencies.hasCodeServer,
    });
    container.processes = processes;
    container.running = true;
    container.startedAtMs = Date.now();
    containers.save(container);
    // When init ends the rest of the container goes with it.
    void processes.ended.then(() => end(container, processes));
  }

  /** Off is what has no process left; at the end of the stand-in the record stays "running". */
  async function end(container: Container, processes: ContainerProcesses): Promise<void> {
    await processes.kill();
    if (closing || container.processes !== processes) return;
    container.processes = undefined;
    container.running = false;
    containers.save(container);
    log(`container ${container.vmid} is off`);
  }

  async function kill(container: Container): Promise<void> {
    if (container.processes) await end(container, container.processes);
  }

  return {
    start,
    kill,
    async terminate(container, timeoutMs, signal) {
      const { processes } = container;
      if (!processes) return true;
      processes.terminate();
      const late = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => late.resolve(false), timeoutMs);
      const abort = () => late.reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      try {
        const ended = await Promise.race([processes.ended.then(() => true), late.promise]);
        if (ended) await kill(container);
        return ended;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      }
    },
    isRunning: (container) => container.processes !== undefined,
    addressOf(container) {
      if (!container.processes || !hasIPv4(container)) return undefined;
      if (Date.now() < container.startedAtMs + delays.dhcpMs) return undefined;
      return block.address(container.addressOffset);
    },
    async killAll() {
      closing = true;
      await Promise.all(containers.all().map(kill));
    },
  };
}

/** Without a configured network there is nothing a lease could be given to. */
function hasIPv4(container: Container): boolean {
  return /(^|,)ip=(dhcp|\d)/.test(String(container.config.get('net0') ?? ''));
}
