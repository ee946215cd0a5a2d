/** Those that end with a signal: a list of its own listeners it would walk for each new one. */
const followers = new WeakMap<AbortSignal, Set<AbortController>>();

function followersOf(parent: AbortSignal): Set<AbortController> {
  const known = followers.get(parent);
  if (known) return known;
  const all = new Set<AbortController>();
  followers.set(parent, all);
  parent.addEventListener('abort', () => {
    for (const one of all) one.abort(parent.reason);
  });
  return all;
}

/**
 * A signal that ends in time, or with its parent. Disposed of when the work has ended: composed
 * of AbortSignal.timeout and any it would live on until the time is over, for every single poll.
 */
export function startDeadline(
  timeoutMs: number,
  parent: AbortSignal,
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const all = followersOf(parent).add(controller);
  const timer = setTimeout(
    () => controller.abort(new DOMException('The poll took too long', 'TimeoutError')),
    timeoutMs,
  );
  if (parent.aborted) controller.abort(parent.reason);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      all.delete(controller);
    },
  };
}
