import { WebSocket } from 'ws';

import type { Principal } from '../auth/principal.ts';
import type { Staying } from '../pulse.ts';
import { CLOSES, type CloseReason, closeText } from './closes.ts';
import { createFlow, type Source, TEXT } from './flow.ts';

/** What a viewer asks for: to go on at a line, of a log that he may name. */
export interface Resumption {
  readonly from: number;
  readonly epoch: string | null;
}

export interface Viewer extends Staying {
  readonly isPlain: boolean;
  /** Tells from which log the numbers are, and then what there is. Again when it is another one. */
  begin(source: Source): void;
  /** There is more. Never waits. */
  pump(): void;
  note(agent: 'away' | 'back'): void;
  say(frame: Readonly<Record<string, unknown>>, plain?: string): void;
  /** Asks for a sign of life; whoever has given none since the last time is cut off. */
  beat(): void;
  end(reason: CloseReason): void;
  /** By us: what he still sends is not heard. */
  hasEnded(): boolean;
}

/** Bytes of answers that somebody may leave unread; lines are held back long before. */
const ANSWERS_MAX = 1024 * 1024;
/** What is left to say may take this long. */
const CLOSE_MAX_MS = 1_000;

export interface ViewerOptions {
  readonly socket: WebSocket;
  readonly principal: Principal;
  readonly isPlain: boolean;
  readonly resumption: Resumption | null;
  /** Told to viewers of the protocol when they begin. */
  readonly limits: Readonly<Record<string, number>>;
  /** Hears of lines that this viewer will never see. */
  readonly onMissed: (lines: number) => void;
  readonly onEnd: (reason: CloseReason) => void;
}

/**
 * One who looks. He takes from what all share at the pace at which he reads, so a slow one costs
 * nobody anything, and misses nothing that anybody still has.
 */
export function createViewer(options: ViewerOptions): Viewer {
  const { socket, principal, isPlain, limits, onMissed, onEnd } = options;
  let { resumption } = options;
  let isAlive = true;
  let hasEnded = false;
  // Whoever takes what he is sent is alive, though his answer to a ping waits behind it.
  const live = () => {
    isAlive = true;
  };
  socket.on('pong', live);
  // Whoever asks and asks, and reads no answer, would have us keep them all.
  const cutGreedy = () => {
    if (socket.bufferedAmount > ANSWERS_MAX) socket.terminate();
  };
  socket.on('ping', cutGreedy);

  function say(frame: Readonly<Record<string, unknown>>, plain?: string): void {
    cutGreedy();
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!isPlain) socket.send(JSON.stringify(frame));
    else if (plain !== undefined) socket.send(plain, TEXT);
  }

  const flow = createFlow({
    ...{ socket, isPlain, onDrained: live },
    onGap({ from, to }) {
      onMissed(to - from);
      say({ type: 'gap', from, to }, `[console] ${to - from} lines are not kept any more`);
    },
  });

  return {
    principal,
    isPlain,
    begin(source) {
      const { epoch } = source;
      const isOfThis = resumption?.epoch === null || resumption?.epoch === epoch;
      const from = resumption && isOfThis ? resumption.from : source.recent();
      // Of another log the same numbers mean other lines.
      resumption = null;
      say({ type: 'hello', epoch, from, next: source.next(), limits });
      flow.start(source, from);
    },
    pump: flow.pump,
    note: (agent) => say({ type: 'notice', agent }, `[console] the agent is ${agent}`),
    say,
    beat() {
      if (!isAlive) return socket.terminate();
      isAlive = false;
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
    end(reason) {
      hasEnded = true;
      if (socket.readyState !== WebSocket.OPEN) return;
      onEnd(reason);
      socket.close(CLOSES[reason].code, closeText(reason));
      // Whoever does not read would stay, and would keep this node from ending.
      setTimeout(() => socket.terminate(), CLOSE_MAX_MS).unref();
    },
    hasEnded: () => hasEnded,
  };
}
