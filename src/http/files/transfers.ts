import { ControlPlaneError } from '../../errors.ts';

/** A call is short, and answered from memory. */
export type Direction = 'upload' | 'download' | 'call';

/** Who moves files right now. */
export interface Transfers {
  /** @throws ControlPlaneError `limit_exceeded`; disposing gives the place back */
  begin(vmid: number, direction: Direction): Disposable;
  /** In this process. */
  count(direction: Direction): number;
}

const RETRY_AFTER_S = 5;
/** Calls at once for each file that may be on its way at once. */
const CALLS_PER_TRANSFER = 4;

/** One container must not take all of our connections, nor all of its agent's. */
export function createTransfers(ofContainerMax: number): Transfers {
  const transfers = { running: new Map<number, number>(), max: ofContainerMax };
  const calls = { running: new Map<number, number>(), max: ofContainerMax * CALLS_PER_TRANSFER };
  const counts = { upload: 0, download: 0, call: 0 };
  return {
    begin(vmid, direction) {
      const { running, max } = direction === 'call' ? calls : transfers;
      const before = running.get(vmid) ?? 0;
      if (before >= max) {
        const what = direction === 'call' ? 'calls about files' : 'files';
        throw new ControlPlaneError(
          'limit_exceeded',
          `${max} ${what} of this container are on their way already`,
          { details: { retryAfterS: RETRY_AFTER_S } },
        );
      }
      running.set(vmid, before + 1);
      counts[direction] += 1;
      let isOver = false;
      return {
        [Symbol.dispose]() {
          if (isOver) return;
          isOver = true;
          counts[direction] -= 1;
          const left = (running.get(vmid) ?? 1) - 1;
          if (left > 0) running.set(vmid, left);
          else running.delete(vmid);
        },
      };
    },
    count: (direction) => counts[direction],
  };
}
