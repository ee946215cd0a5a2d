import type { Logger } from '../../telemetry/logger.ts';

/**
 * What goes wrong with one instance stops no other, and a database that is away would be logged
 * ten thousand times: troubles are counted, and each sweep logs one line.
 */
export function createTroubles(logger: Logger, what: string) {
  let troubles: unknown[] = [];
  return {
    /** What came of the work; undefined if it failed. */
    async collect<Result>(work: Promise<Result>): Promise<Result | undefined> {
      try {
        return await work;
      } catch (error) {
        troubles.push(error);
        return undefined;
      }
    },
    log(): void {
      const [err] = troubles;
      if (troubles.length > 0) logger.warn({ err, times: troubles.length }, what);
      troubles = [];
    },
  };
}
