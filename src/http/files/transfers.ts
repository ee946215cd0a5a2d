import { ControlPlaneError } from '../../errors.ts';

export type Direction = 'upload' | 'download';

/** Who moves files right now. */
export interface Transfers {
  /** @throws ControlPlaneError `limit_exceeded`; disposing gives the place back */
  begin(vmid: number, direction: Direction): Disposable;
  /** In this process. */
  count(direction: Direction): number;
}

const RETRY_AFTER_S = 5;

/** One container must not take all of our connections, nor all of its agent's. */
export function createTransfers(ofContainerMax: number): Transfers {
  const running = new Map<number, number>();
  const counts = { upload: 0, download: 0 };
  return {
    begin(vmid, direction) {
      const before = running.get(vmid) ?? 0;
      if (before >= ofContainerMax) {
        throw new ControlPlaneError(
          'limit_exceeded',
          `${ofContainerMax} files of this container are on their way already`,
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
