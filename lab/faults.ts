/** Which requests a fault strikes; what it does to them is up to the stand-in. */
export interface FaultTarget {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: RegExp;
  /** How many requests it strikes; 1 when left out. */
  readonly times?: number;
}

export interface PlannedFault {
  readonly fired: number;
  cancel(): void;
}

export interface FaultPlan<F extends FaultTarget> {
  plan(fault: F): PlannedFault;
  clear(): void;
}

export interface Faults<F extends FaultTarget> extends FaultPlan<F> {
  strike(method: string, path: string): F | undefined;
}

/** A pattern is tried on the path as the stand-in knows it, and on that below `prefix`. */
export function createFaults<F extends FaultTarget>({ prefix = '' } = {}): Faults<F> {
  const planned = new Set<{ fault: F; left: number; fired: number }>();

  return {
    plan(fault) {
      const entry = { fault, left: fault.times ?? 1, fired: 0 };
      planned.add(entry);
      return {
        get fired() {
          return entry.fired;
        },
        cancel: () => planned.delete(entry),
      };
    },
    clear: () => planned.clear(),
    strike(method, path) {
      for (const entry of planned) {
        const { fault } = entry;
        if (fault.method !== method || entry.left <= 0) continue;
        if (!matches(fault.path, path) && !matches(fault.path, `${prefix}${path}`)) continue;
        entry.left -= 1;
        entry.fired += 1;
        return fault;
      }
      return undefined;
    },
  };
}

/** A pattern with the flag `g` remembers where it stopped; every request starts afresh. */
function matches(pattern: RegExp, path: string): boolean {
  return new RegExp(pattern.source, pattern.flags.replace('g', '')).test(path);
}
