import { createStore, useSelector } from '@xstate/store-react';

const TICK_MS = 1_000;

const clock = createStore({
  context: { now: Date.now() },
  on: { ticked: (_, { now }: { now: number }) => ({ now }) },
});

export function startClock(): void {
  setInterval(() => clock.trigger.ticked({ now: Date.now() }), TICK_MS);
}

/** Unix ms, once a second. */
export const useNow = (): number => useSelector(clock, ({ context }) => context.now);

interface Seen {
  readonly ages: {
    readonly agent: number | null;
    readonly host: number | null;
    readonly state: number | null;
  };
}

/** When a server was last seen, by the clock of this page: ages are of when it was told of them. */
export function seenAt({ ages }: Seen, toldAt: number): number | null {
  const age = ages.agent ?? ages.host ?? ages.state;
  return age === null ? null : toldAt - age;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
] as const;

/** A duration as people say it: `4 s`, `12 min`, `3 h`. */
export function spoken(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const found = UNITS.find(([, size]) => seconds >= size);
  return found ? `${Math.floor(seconds / found[1])} ${found[0]}` : `${seconds} s`;
}
