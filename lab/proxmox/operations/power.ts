import type { Cluster, Origin } from '../cluster.ts';
import { type Container, checkLock } from '../containers.ts';
import { badParameters, died } from '../errors.ts';
import type { Work } from '../tasks.ts';

const SHUTDOWN_TIMEOUT_S = 60;

export function start(
  cluster: Cluster,
  origin: Origin,
  container: Container,
  { skiplock }: { skiplock: boolean },
): string {
  checkRootOnly(origin, skiplock);
  const { vmid } = container;
  if (cluster.power.isRunning(container)) throw died(`CT ${vmid} already running`);
  return locked(cluster, origin, container, 'vzstart', async (work) => {
    if (container.config.get('template') === 1) {
      throw new Error("you can't start a CT if it's a template");
    }
    checkLock(container);
    await turnOn(cluster, container, work);
  });
}

export function stop(
  cluster: Cluster,
  origin: Origin,
  container: Container,
  { skiplock, overrule }: { skiplock: boolean; overrule: boolean },
): string {
  checkRootOnly(origin, skiplock);
  checkRunning(cluster, container);
  if (overrule) interruptShutdowns(cluster, container);
  return locked(cluster, origin, container, 'vzstop', async (work) => {
    checkLock(container);
    await work.sleep(cluster.delays.stopMs);
    await work.effect(() => cluster.power.kill(container));
  });
}

export function shutdown(
  cluster: Cluster,
  origin: Origin,
  container: Container,
  order: { timeoutS: number | undefined; forceStop: boolean },
): string {
  checkRunning(cluster, container);
  return locked(cluster, origin, container, 'vzshutdown', async (work) => {
    checkLock(container);
    await work.effect(() => turnOff(cluster, container, order, work));
  });
}

export function reboot(
  cluster: Cluster,
  origin: Origin,
  container: Container,
  { timeoutS }: { timeoutS: number | undefined },
): string {
  if (!cluster.power.isRunning(container)) throw died(`VM ${container.vmid} not running`);
  return locked(cluster, origin, container, 'vzreboot', async (work) => {
    checkLock(container);
    await turnOff(cluster, container, { timeoutS, forceStop: false }, work);
    await turnOn(cluster, container, work);
  });
}

export function destroy(
  cluster: Cluster,
  origin: Origin,
  container: Container,
  { force }: { force: boolean },
): string {
  const { vmid } = container;
  const check = () => {
    if (container.config.get('protection') === 1) {
      throw died(`can't remove CT ${vmid} - protection mode enabled`);
    }
    checkLock(container);
    if (cluster.power.isRunning(container) && !force) {
      throw died(`unable to destroy CT ${vmid} - container is running`);
    }
  };
  check();
  return locked(cluster, origin, container, 'vzdestroy', async (work) => {
    check();
    if (cluster.power.isRunning(container)) {
      work.log(`forced to stop CT ${vmid} before destroying!`);
      await cluster.power.kill(container);
    }
    await work.sleep(cluster.delays.destroyMs);
    await work.effect(() => cluster.containers.remove(container));
  });
}

/** The worker, not the request, waits for the file lock: a busy lock becomes the exit status. */
function locked(
  cluster: Cluster,
  origin: Origin,
  container: Container,
  type: string,
  operation: (work: Work) => Promise<void>,
): string {
  const { vmid } = container;
  return cluster.tasks.fork({ ...origin, type, id: String(vmid) }, (work) =>
    cluster.locks.hold(vmid, work.signal, async () => {
      cluster.containers.on(container.node, vmid);
      await operation(work);
    }),
  );
}

async function turnOn(cluster: Cluster, container: Container, work: Work): Promise<void> {
  await work.sleep(cluster.delays.startMs);
  await work.effect(() => cluster.power.start(container));
}

async function turnOff(
  cluster: Cluster,
  container: Container,
  { timeoutS, forceStop }: { timeoutS: number | undefined; forceStop: boolean },
  work: Work,
): Promise<void> {
  const timeoutMs = (timeoutS ?? SHUTDOWN_TIMEOUT_S) * 1000;
  if (await cluster.power.terminate(container, timeoutMs, work.signal)) return;
  if (!forceStop) throw new Error('container did not stop');
  await cluster.power.kill(container);
}

function checkRunning(cluster: Cluster, container: Container): void {
  if (!cluster.power.isRunning(container)) throw died(`CT ${container.vmid} not running`);
}

function checkRootOnly(origin: Origin, skiplock: boolean): void {
  if (skiplock && origin.user !== 'root@pam') {
    throw badParameters({ skiplock: 'Only root may use this option.' });
  }
}

function interruptShutdowns(cluster: Cluster, container: Container): void {
  for (const task of cluster.tasks.list(container.node)) {
    const active = task.exitstatus === undefined && task.type === 'vzshutdown';
    if (active && task.id === String(container.vmid)) cluster.tasks.interrupt(task.upid);
  }
}
