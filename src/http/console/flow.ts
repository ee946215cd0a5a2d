import { WebSocket } from 'ws';

import type { Chunk } from './chunk.ts';

/** Lines that nobody can tell any more, up to `to`. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** What all viewers of a container share. */
export interface Source {
  readonly epoch: string;
  next(): number;
  /** Where whoever has seen nothing begins. */
  recent(): number;
  at(offset: number): Chunk | undefined;
  /** What lies further back. Rejects if it cannot be told now. */
  fetch(offset: number): Promise<Chunk | Gap>;
}

/** What one viewer is sent, in order, at the pace at which he reads. */
export interface Flow {
  /** Goes on with this line. */
  start(source: Source, cursor: number): void;
  /** There is more. Never waits. */
  pump(): void;
}

export interface FlowOptions {
  readonly socket: WebSocket;
  readonly isPlain: boolean;
  readonly onGap: (gap: Gap) => void;
  /** He has taken all that he had left unread. */
  readonly onDrained: () => void;
}

/** Bytes that a viewer may leave unread before he is sent no more: the rest waits where it is. */
const UNREAD_MAX = 128 * 1024;
const FETCH_PAUSE_MS = 1_000;

export const TEXT = { binary: false } as const;

export function createFlow({ socket, isPlain, onGap, onDrained }: FlowOptions): Flow {
  let source: Source | undefined;
  let cursor = 0;
  let isFull = false;
  let isFetching = false;

  function pump(): void {
    while (source && !isFull && !isFetching && socket.readyState === WebSocket.OPEN) {
      if (cursor >= source.next()) return;
      const chunk = source.at(cursor);
      if (chunk) sendChunk(chunk);
      else void fetchMissed(source, cursor);
    }
  }

  function sendChunk(chunk: Chunk): void {
    const mine = chunk.since(cursor);
    const frames = isPlain ? mine.texts() : [mine.json];
    cursor = mine.to;
    for (const frame of frames.slice(0, -1)) socket.send(frame, TEXT);
    const last = frames.at(-1) ?? '';
    isFull = socket.bufferedAmount + last.length > UNREAD_MAX;
    if (isFull) socket.send(last, TEXT, drained);
    else socket.send(last, TEXT);
  }

  function drained(error?: Error | null): void {
    isFull = false;
    onDrained();
    if (!error) pump();
  }

  async function fetchMissed(asked: Source, offset: number): Promise<void> {
    isFetching = true;
    const found = await asked.fetch(offset).catch(() => null);
    // The agent is away, or too slow: the channel knows, and this is asked again.
    if (!found) await new Promise<void>((resolve) => setTimeout(resolve, FETCH_PAUSE_MS).unref());
    isFetching = false;
    if (found && source === asked && socket.readyState === WebSocket.OPEN) {
      if ('json' in found) {
        sendChunk(found);
      } else {
        cursor = found.to;
        onGap(found);
      }
    }
    pump();
  }

  return {
    start(begun, from) {
      source = begun;
      cursor = from;
      pump();
    },
    pump,
  };
}
