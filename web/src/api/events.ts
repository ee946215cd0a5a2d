import { ApiProblem, send } from './client.ts';
import type { Server, ServerChange, ServersSnapshot } from './schema.ts';

export interface Watcher {
  /** All that there is: whatever was known before is replaced. */
  snapshot(servers: readonly Server[]): void;
  change(change: ServerChange): void;
  /** Something came, if only a heartbeat. */
  heard(): void;
  /** The stream has ended, and is opened again. */
  lost(): void;
}

const SILENCE_MS = 40_000;
const RETRY_MS = { min: 1_000, max: 15_000 };

/**
 * Follows the servers until the signal ends it. `EventSource` sends no token, so the stream is read
 * here; it goes on behind the last event that was received.
 */
export async function watchServers(watcher: Watcher, signal: AbortSignal): Promise<void> {
  let lastId: string | null = null;
  let pauseMs = RETRY_MS.min;

  function take({ id, event, data }: StreamEvent): void {
    pauseMs = RETRY_MS.min;
    if (event === 'snapshot') watcher.snapshot((JSON.parse(data) as ServersSnapshot).servers);
    if (event === 'change') watcher.change(JSON.parse(data) as ServerChange);
    if (id !== null) lastId = id;
  }

  while (!signal.aborted) {
    try {
      await follow(lastId, { take, heard: watcher.heard, signal });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiProblem && error.status === 401) return;
      // Too much has happened since: begin anew with a snapshot.
      if (error instanceof ApiProblem && error.status === 410) lastId = null;
    }
    watcher.lost();
    await pause(pauseMs * (0.5 + Math.random() / 2), signal);
    pauseMs = Math.min(pauseMs * 2, RETRY_MS.max);
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });

interface Following {
  readonly take: (event: StreamEvent) => void;
  readonly heard: () => void;
  readonly signal: AbortSignal;
}

async function follow(lastId: string | null, { take, heard, signal }: Following): Promise<void> {
  const silent = new AbortController();
  const response = await send('/api/servers/events', {
    signal: AbortSignal.any([signal, silent.signal]),
    headers: lastId === null ? {} : { 'last-event-id': lastId },
  });
  const parse = createParser(take);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let timer = 0;
  try {
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), SILENCE_MS);
      const chunk = await reader?.read();
      if (!chunk || chunk.done) return;
      heard();
      parse(chunk.value);
    }
  } finally {
    clearTimeout(timer);
  }
}

interface StreamEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** An event ends with an empty line; what has come of the next one is kept until then. */
function createParser(take: (event: StreamEvent) => void): (chunk: string) => void {
  let parts: string[] = [];
  let tail = '';
  return (chunk) => {
    // The empty line may have come in two pieces. A snapshot is many chunks: join them once.
    const seam = tail.slice(-1) + chunk;
    tail = chunk;
    if (!seam.includes('\n\n')) {
      parts.push(chunk);
      return;
    }
    const events = [...parts, chunk].join('').split('\n\n');
    parts = [events.pop() ?? ''];
    for (const text of events) readEvent(text, take);
  };
}

function readEvent(text: string, take: (event: StreamEvent) => void): void {
  let [id, event, data]: [string | null, string, string] = [null, 'message', ''];
  for (const line of text.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('event: ')) event = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  if (data !== '') take({ id, event, data });
}
