const IDS_MAX = 1_000;

/** Performs what has an id once, however often it is sent; of those without one, each. */
export function createOnce() {
  const done = new Set<string>();
  return (id: string | undefined, act: () => void): void => {
    if (id !== undefined && done.has(id)) return;
    act();
    if (id === undefined) return;
    done.add(id);
    for (const oldest of done) {
      if (done.size <= IDS_MAX) break;
      done.delete(oldest);
    }
  };
}
