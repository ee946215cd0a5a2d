import type { ChartRegion, ChartTransition } from './types.ts';

/** As many steps as a region makes at once: an event, and what follows by itself. */
const CHAIN_MAX = 5;

const isWithin = (path: string, outer: string): boolean =>
  outer === '' || `${path}.`.startsWith(`${outer}.`);

/** Entering a state enters the first one within, down to one that has none. */
function leafOf({ states }: ChartRegion, path: string): string {
  const inner = states.find(
    (one) => one.isInitial && one.path.startsWith(`${path}.`) && one.path !== path,
  );
  return inner ? leafOf({ states } as ChartRegion, inner.path) : path;
}

/** `xstate.after.cloneDeadline.instance.provisioning.cloning` → `cloneDeadline` */
const deadlineOf = (type: string): string | null =>
  /^xstate\.after\.(\w+)\./.exec(type)?.[1] ?? null;

const isBy = ({ kind, on }: ChartTransition, type: string): boolean =>
  kind === 'deadline' ? on === deadlineOf(type) : on === type;

/**
 * By which transitions a region came from one state to another when its instance took an event, as
 * indices. The journal says only that it did: these are the shortest way that the machine has. Empty
 * if it stayed, or if the machine of today has no such way.
 */
export function takenBy(
  region: ChartRegion,
  { type, before, now }: { readonly type: string; readonly before: string; readonly now: string },
): readonly number[] {
  if (before === now) return [];
  let ends: readonly (readonly [state: string, way: readonly number[]])[] = [[before, []]];
  for (let length = 0; length < CHAIN_MAX; length += 1) {
    ends = ends.flatMap(([state, way]) =>
      region.transitions.flatMap((transition, index) => {
        const { from, to, kind } = transition;
        const isNext = kind === 'condition' || (way.length === 0 && isBy(transition, type));
        if (to === null || !isNext || !isWithin(state, from) || way.includes(index)) return [];
        return [[leafOf(region, to), [...way, index]] as const];
      }),
    );
    const found = ends.find(([state]) => state === now);
    if (found) return found[1];
  }
  return [];
}
