/** What shall go wrong with the next matching requests. `path` is tested without and with /api2/json. */
export type Fault = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: RegExp;
  /** How many requests it strikes; 1 when left out. */
  readonly times?: number;
} & FaultKind;

type FaultKind =
  /** The connection breaks and nothing was done. */
  | { readonly kind: 'drop_before' }
  /** It was done, but the answer never arrives. */
  | { readonly kind: 'drop_after' }
  | { readonly kind: 'status'; readonly status: number; readonly text: string }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The request is accepted and its task ends like this; with afterEffect the work was done. */
  | {
      readonly kind: 'task_fails';
      readonly exitstatus: string;
      readonly afterEffect?: boolean;
    }
  /** Neither done nor answered: the connection stays open. */
  | { readonly kind: 'hang' };

export interface PlannedFault {
  readonly fired: number;
  cancel(): void;
}

export interface FaultPlan {
  plan(fault: Fault): PlannedFault;
  clear(): void;
}

export interface Faults extends FaultPlan {
  strike(method: string, path: string): Fault | undefined;
}

export function createFaults(): Faults {
  const planned = new Set<{ fault: Fault; left: number; fired: number }>();

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
        if (!matches(fault.path, path) && !matches(fault.path, `/api2/json${path}`)) continue;
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
