/** Room for so many at a time; who finds none waits, in the order of asking. */
export interface Slots {
  take(): Promise<void>;
  /** false: there is none, or others are before us. */
  tryTake(): boolean;
  give(): void;
}

export function createSlots(max: number): Slots {
  let free = max;
  const waiting: (() => void)[] = [];
  return {
    async take() {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    tryTake() {
      if (free === 0) return false;
      free -= 1;
      return true;
    },
    give() {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    },
  };
}

/** false: it is still under way after `timeoutMs`. `work` must not reject. */
export async function endsWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), timeoutMs);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
