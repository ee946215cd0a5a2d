import type { Chunk } from './chunk.ts';

/** The end of a console, without holes: kept once, for all who look at it. */
export interface Ring {
  first(): number;
  next(): number;
  /** Must begin at `next`. What lies further back than the bytes of the ring goes. */
  push(chunk: Chunk): void;
  /** Forgets all of it and goes on with this line. */
  restart(next: number): void;
  /** Holds this line; undefined: it is not kept here, or has not been said yet. */
  at(offset: number): Chunk | undefined;
}

export function createRing(bytesMax: number): Ring {
  let chunks: Chunk[] = [];
  let bytes = 0;
  let next = 0;

  return {
    first: () => chunks[0]?.from ?? next,
    next: () => next,
    push(chunk) {
      chunks.push(chunk);
      next = chunk.to;
      bytes += chunk.json.length;
      while (bytes > bytesMax && chunks.length > 1) bytes -= chunks.shift()?.json.length ?? 0;
    },
    restart(offset) {
      chunks = [];
      bytes = 0;
      next = offset;
    },
    at(offset) {
      const last = chunks.at(-1);
      if (!last || offset >= last.to) return undefined;
      // Most who ask have all but what has just come.
      if (offset >= last.from) return last;
      return findChunk(chunks, offset);
    },
  };
}

function findChunk(chunks: readonly Chunk[], offset: number): Chunk | undefined {
  let [from, to] = [0, chunks.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((chunks[middle] as Chunk).to <= offset) from = middle + 1;
    else to = middle;
  }
  const found = chunks[from];
  return found && found.from <= offset ? found : undefined;
}
