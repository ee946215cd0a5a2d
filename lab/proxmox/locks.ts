/**
 * The file lock around a container's configuration. The original waits a while for it and then
 * gives up with its well-known text; waiters are served in order.
 */
export interface ConfigLocks {
  hold<T>(vmid: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** For tests: takes the lock as somebody else would. */
  take(vmid: number, signal: AbortSignal): Promise<Disposable>;
}

export function createConfigLocks(waitMs: number): ConfigLocks {
  const waiting = new Map<number, (() => void)[]>();

  function release(vmid: number): void {
    const next = waiting.get(vmid)?.shift();
    if (next) next();
    else waiting.delete(vmid);
  }

  async function take(vmid: number, signal: AbortSignal): Promise<Disposable> {
    const queue = waiting.get(vmid);
    if (queue) await wait(vmid, queue, signal);
    else waiting.set(vmid, []);
    return { [Symbol.dispose]: () => release(vmid) };
  }

  function wait(vmid: number, queue: (() => void)[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const granted = Promise.withResolvers<void>();
    const turn = () => granted.resolve();
    queue.push(turn);
    const giveUp = (reason: unknown) => {
      const place = queue.indexOf(turn);
      if (place < 0) return;
      queue.splice(place, 1);
      granted.reject(reason);
    };
    const text = `can't lock file '/run/lock/lxc/pve-config-${vmid}.lock' - got timeout`;
    const timer = setTimeout(() => giveUp(new Error(text)), waitMs);
    const abort = () => giveUp(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    return granted.promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    });
  }

  return {
    take,
    async hold(vmid, signal, work) {
      using _lock = await take(vmid, signal);
      return await work();
    },
  };
}
