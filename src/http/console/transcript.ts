import { createChunks } from './chunk.ts';
import { createRing, type Ring } from './ring.ts';

/** The end of a console as it comes in: what comes together is passed on together. */
export interface Transcript extends Pick<Ring, 'first' | 'at'> {
  /** The line behind the last one that is passed on. */
  told(): number;
  /** The line behind the last one that has come. */
  next(): number;
  /** Lines that have come; those that had come already count once. */
  write(offset: number, lines: readonly string[]): void;
  /** What lies between is not here, but may be where it comes from. */
  jump(offset: number): void;
  /** Forgets all of it, as it is another one. */
  restart(offset: number): void;
  flush(): void;
}

export interface TranscriptOptions {
  /** Bytes of frames that are kept. */
  readonly ringBytes: number;
  readonly flushMs: number;
  readonly onMore: () => void;
}

export function createTranscript(options: TranscriptOptions): Transcript {
  const { ringBytes, flushMs, onMore } = options;
  const ring = createRing(ringBytes);
  let pending: string[] = [];
  let flushedAt = Number.NEGATIVE_INFINITY;
  let flushing: NodeJS.Timeout | undefined;
  const next = () => ring.next() + pending.length;

  function flush(): void {
    clearTimeout(flushing);
    flushing = undefined;
    flushedAt = performance.now();
    const lines = pending;
    pending = [];
    for (const chunk of createChunks(ring.next(), lines)) ring.push(chunk);
    onMore();
  }

  function jump(offset: number): void {
    flush();
    ring.restart(offset);
    onMore();
  }

  return {
    first: ring.first,
    at: ring.at,
    told: ring.next,
    next,
    write(offset, lines) {
      if (offset > next()) jump(offset);
      const isNew = offset + lines.length - next();
      if (isNew <= 0) return;
      pending.push(...lines.slice(-isNew));
      const wait = Math.max(0, flushedAt + flushMs - performance.now());
      flushing ??= setTimeout(flush, wait);
    },
    jump,
    restart(offset) {
      clearTimeout(flushing);
      flushing = undefined;
      pending = [];
      ring.restart(offset);
    },
    flush,
  };
}
