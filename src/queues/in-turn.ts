/**
 * Each in its turn: one that fails keeps none of the others from theirs. When all have had it, the
 * first failure is thrown, so that whoever asked for it asks again.
 */
export async function inTurn<T>(
  all: Iterable<T>,
  act: (one: T) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  const failures: unknown[] = [];
  for (const one of all) {
    signal?.throwIfAborted();
    await act(one).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
