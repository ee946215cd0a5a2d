import { WebSocket } from 'ws';

import type { UpstreamError } from '../../errors.ts';
import type { ConsoleListener, ConsoleStart } from './console.ts';
import { isHello, isOutput, readFrame } from './console-frames.ts';
import { agentError, transportError } from './exchange.ts';
import { refusal } from './refusal.ts';

const QUESTION = { method: 'GET', path: '/console/stream' } as const;
const FRAME_BYTES_MAX = 1024 * 1024;
/** An agent that numbers its lines says so at once; one that says nothing so long does not. */
const HELLO_MAX_MS = 1_000;

export type Watching = (origin: URL, start: ConsoleStart, listener: ConsoleListener) => Disposable;

export interface WatchingOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly silentMaxMs: number;
  readonly bytesPerS: number;
  readonly randomId: () => string;
}

/** Makes connections to consoles, each with a listener of its own. */
export function createWatching(options: WatchingOptions): Watching {
  const { headers, timeoutMs, silentMaxMs, bytesPerS, randomId } = options;
  return (origin, start, listener) => {
    const socket = new WebSocket(addressOf(origin, start), {
      ...{ headers, handshakeTimeout: timeoutMs, maxPayload: FRAME_BYTES_MAX },
      perMessageDeflate: false,
    });
    const reader = createReader(listener, randomId);
    let failure: UpstreamError | undefined;
    let hasEnded = false;
    const life = watchLife(socket, silentMaxMs);
    const pace = createPace(socket, bytesPerS);

    function free(): void {
      for (const part of [life, reader, pace]) part[Symbol.dispose]();
      socket.terminate();
    }
    function end(error: UpstreamError): void {
      if (hasEnded) return;
      hasEnded = true;
      free();
      listener.ended(error);
    }
    socket.on('open', reader.open);
    socket.on('message', (data) => {
      if (hasEnded) return;
      const text = String(data);
      pace.took(text.length);
      const isUnderstood = reader.read(text);
      if (!isUnderstood) end(agentError('answer_unreadable', QUESTION));
    });
    socket.on('unexpected-response', (request, response) => {
      failure = refusal(QUESTION, { status: response.statusCode ?? 0, body: undefined });
      request.destroy();
    });
    socket.on('error', (error) => {
      failure ??= transportError(QUESTION, error);
    });
    socket.on('close', () => {
      const reason = life.isSilent() ? 'timed_out' : 'no_answer';
      end(failure ?? agentError(reason, QUESTION));
    });
    return {
      [Symbol.dispose]() {
        hasEnded = true;
        free();
      },
    };
  };
}

function addressOf(origin: URL, start: ConsoleStart): URL {
  const url = new URL('/console/stream', origin);
  url.protocol = 'ws:';
  url.searchParams.set('protocol', 'zpack.console.v1');
  for (const [name, value] of Object.entries(start)) url.searchParams.set(name, String(value));
  return url;
}

/** By its first word an agent shows whether it numbers its lines. */
function createReader(listener: ConsoleListener, randomId: () => string) {
  let kind: 'numbered' | 'bare' | undefined;
  let bareNext = 0;
  let timer: NodeJS.Timeout | undefined;

  function startBare(): void {
    kind = 'bare';
    listener.started({ epoch: `bare-${randomId()}`, from: 0, isNumbered: false });
  }
  function readBare(text: string): boolean {
    listener.output(bareNext, [text]);
    bareNext += 1;
    return true;
  }
  return {
    open(): void {
      timer = setTimeout(() => {
        if (kind === undefined) startBare();
      }, HELLO_MAX_MS);
    },
    /** false: it breaks its own protocol. */
    read(text: string): boolean {
      if (kind === 'bare') return readBare(text);
      const frame = readFrame(text);
      if (kind === 'numbered') {
        if (isOutput(frame)) listener.output(frame.offset, frame.lines);
        return frame !== null;
      }
      clearTimeout(timer);
      if (!isHello(frame)) {
        startBare();
        return readBare(text);
      }
      kind = 'numbered';
      listener.started({ epoch: frame.epoch, from: frame.from, isNumbered: true });
      return true;
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

/** A connection over which nothing comes, not even what it is asked for, is none. */
function watchLife(socket: WebSocket, silentMaxMs: number) {
  let isSilent = false;
  let hasSpoken = true;
  const speak = () => {
    hasSpoken = true;
  };
  socket.on('pong', speak);
  socket.on('message', speak);
  const timer = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN || socket.isPaused) return;
    if (!hasSpoken) {
      isSilent = true;
      socket.terminate();
      return;
    }
    hasSpoken = false;
    socket.ping();
  }, silentMaxMs / 2).unref();
  return { isSilent: () => isSilent, [Symbol.dispose]: () => clearInterval(timer) };
}

const PACE_MS = 100;

/**
 * One game that floods its console must not keep this node from everybody else: what it says faster
 * waits at its agent.
 */
function createPace(socket: WebSocket, bytesPerS: number) {
  const most = (bytesPerS * PACE_MS) / 1_000;
  let since = performance.now();
  let bytes = 0;
  let pausing: NodeJS.Timeout | undefined;
  return {
    took(length: number): void {
      const at = performance.now();
      if (at - since > PACE_MS) {
        since = at;
        bytes = 0;
      }
      bytes += length;
      if (bytes <= most || pausing) return;
      socket.pause();
      // A frame may be larger than what is let in at a time.
      const pauseMs = PACE_MS * Math.ceil(bytes / most);
      pausing = setTimeout(() => {
        pausing = undefined;
        bytes = 0;
        since = performance.now();
        socket.resume();
      }, pauseMs);
    },
    [Symbol.dispose]: () => clearTimeout(pausing),
  };
}
