import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';

import { until } from './until.ts';

export interface StreamEvent {
  readonly id: number;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
  readonly data: any;
}

export interface EventStream {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly events: readonly StreamEvent[];
  /** Everything as it came, comments too. */
  text(): string;
  /** In how many pieces it came. */
  pieces(): number;
  hasEnded(): boolean;
  /** The entries of the journal that it was told of. */
  seqs(): readonly number[];
  waitFor(count: number): Promise<unknown>;
  pause(): void;
  resume(): void;
  close(): void;
}

export interface StreamOptions {
  readonly path?: string;
  readonly token: string;
  readonly lastEventId?: number | string;
}

/** A client of Server-Sent Events that reads by itself what the format says. */
export async function openEventStream(url: string, options: StreamOptions): Promise<EventStream> {
  const { path = '/api/servers/events', token, lastEventId } = options;
  const sent = request(new URL(path, url), {
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && { 'last-event-id': String(lastEventId) }),
    },
  });
  sent.on('error', () => {});
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.setEncoding('utf8');
  const events: StreamEvent[] = [];
  let text = '';
  let rest = '';
  let pieces = 0;
  let ended = false;
  response.on('data', (chunk: string) => {
    text += chunk;
    pieces += 1;
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon), line.slice(colon + 2)];
        }),
      );
      if (!fields.has('event')) continue;
      events.push({
        id: Number(fields.get('id')),
        event: fields.get('event') ?? '',
        data: JSON.parse(fields.get('data') ?? 'null'),
      });
    }
  });
  response.on('close', () => {
    ended = true;
  });
  response.on('error', () => {});
  const seqs = () => events.filter(({ event }) => event === 'change').map(({ id }) => id);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    text: () => text,
    pieces: () => pieces,
    hasEnded: () => ended,
    seqs,
    waitFor: (count) =>
      until(() => seqs().length >= count, {
        what: `${count} changes instead of ${seqs().length}`,
        timeoutMs: 15_000,
      }),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => void sent.destroy(),
  };
}
