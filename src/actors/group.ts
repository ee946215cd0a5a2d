interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupOptions {
  readonly sizeMax: number;
  readonly inFlightMax: number;
}

/** A batch costs about what this many items cost: making smaller ones gains nothing. */
const SHARE_MIN = 32;

/**
 * Collects what arrives while batches are on their way and sends it as the next one. There is no
 * linger: an idle system answers at once, a busy one forms large batches by itself. What waits is
 * shared out among the free places: if all went together, all would be answered together and come
 * back together, and we and the performer would work by turns instead of side by side. A batch
 * that fails is repeated item by item, so that one bad item cannot take the others down with it.
 */
export function createGroup<Item, Result>(
  perform: (items: readonly Item[]) => Promise<readonly Result[]>,
  { sizeMax, inFlightMax }: GroupOptions,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let inFlight = 0;
  let isScheduled = false;

  async function settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await perform(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (batch.length === 1) return batch[0]?.reject(error);
      for (const one of batch) await settle([one]);
    }
  }

  function flush(): void {
    isScheduled = false;
    while (inFlight < inFlightMax && waiting.length > 0) {
      const share = Math.ceil(waiting.length / (inFlightMax - inFlight));
      const size = Math.min(sizeMax, Math.max(share, SHARE_MIN));
      const batch = waiting.slice(0, size);
      waiting = waiting.slice(size);
      inFlight += 1;
      void settle(batch).finally(() => {
        inFlight -= 1;
        flush();
      });
    }
  }

  return (item) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (isScheduled || inFlight >= inFlightMax) return;
      // One turn of the event loop lets requests that came in together share a batch.
      isScheduled = true;
      setImmediate(flush);
    });
}
