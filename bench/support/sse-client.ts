import { connect } from 'node:net';

/**
 * Many clients of the stream in one process. Each resumes where it stopped whenever its
 * connection ends, and expects every number of the journal once, in order.
 */

export interface SseOrder {
  readonly port: number;
  readonly token: string;
  readonly clients: number;
  /** The last entry that nobody needs to be told of. */
  readonly after: number;
}

export type SseCommand = SseOrder | { readonly finish: number };

export interface SseReport {
  readonly received: number;
  readonly gaps: number;
  readonly duplicates: number;
  readonly unfinished: number;
  readonly reconnects: number;
  readonly bytes: number;
  readonly latenciesMs: readonly number[];
  readonly cpuS: number;
}

const RETRY_MS = 200;
/** One latency out of so many is kept. */
const SAMPLE = 20;

let [received, gaps, duplicates, reconnects, bytes, connected] = [0, 0, 0, 0, 0, 0];
const latencies: number[] = [];
const cursors: number[] = [];

function take(client: number, event: string): void {
  const seq = Number(event.slice(4, event.indexOf('\n')));
  const last = cursors[client] ?? 0;
  if (seq <= last) duplicates += 1;
  else if (seq !== last + 1) gaps += 1;
  cursors[client] = Math.max(seq, last);
  received += 1;
  if (received % SAMPLE !== 0) return;
  const at = /"at":"([^"]+)"/.exec(event)?.[1];
  if (at) latencies.push(Date.now() - Date.parse(at));
}

function open(client: number, { port, token }: SseOrder): void {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let rest = '';
  let isFirst = true;
  socket.on('connect', () =>
    socket.write(
      `GET /api/servers/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${token}\r\n` +
        `Last-Event-ID: ${cursors[client]}\r\n\r\n`,
    ),
  );
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    bytes += chunk.length;
    if (isFirst) {
      isFirst = false;
      connected += 1;
      process.send?.({ connected });
    }
    rest += chunk;
    for (;;) {
      const begin = rest.indexOf('id: ');
      const end = begin < 0 ? -1 : rest.indexOf('\n\n', begin);
      if (end < 0) return;
      take(client, rest.slice(begin, end));
      rest = rest.slice(end + 2);
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    if (!isFirst) connected -= 1;
    reconnects += 1;
    setTimeout(() => open(client, { port, token, clients: 0, after: 0 }), RETRY_MS);
  });
}

function finish(seq: number): void {
  const deadline = performance.now() + 30_000;
  const looking = setInterval(() => {
    const unfinished = cursors.filter((cursor) => cursor < seq).length;
    if (unfinished > 0 && performance.now() < deadline) return;
    clearInterval(looking);
    const { user, system } = process.cpuUsage();
    process.send?.(
      {
        received,
        gaps,
        duplicates,
        unfinished,
        reconnects,
        bytes,
        latenciesMs: latencies,
        cpuS: (user + system) / 1e6,
      } satisfies SseReport,
      undefined,
      {},
      () => process.exit(0),
    );
  }, 20);
}

process.on('message', (command: SseCommand) => {
  if ('finish' in command) return finish(command.finish);
  for (let client = 0; client < command.clients; client += 1) {
    cursors.push(command.after);
    open(client, command);
  }
});
