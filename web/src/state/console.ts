import { createStore, useSelector } from '@xstate/store-react';
import { useEffect, useMemo } from 'react';

import { type ApiProblem, call } from '../api/client.ts';
import { toProblem } from './resource.ts';

/** As many as anybody scrolls back through; the rest is in the agent's log. */
const LINES_MAX = 2_000;
const PROTOCOL = 'zpack.console.v1';
/** A connection that broke says nothing; it is made again at once, then ever more slowly. */
const BACKOFF_S = [0, 1, 2, 5, 10] as const;

interface Line {
  readonly offset: number;
  readonly text: string;
}

interface ConsoleContext {
  readonly state: 'connecting' | 'live' | 'away' | 'ended';
  /** Why it ended, in the service's word. */
  readonly reason: string | null;
  readonly lines: readonly Line[];
  /** Why the last command was not typed, or the console not opened. */
  readonly problem: ApiProblem | null;
  readonly refusal: string | null;
}

type Frame =
  | { readonly type: 'hello'; readonly epoch: string; readonly from: number }
  | { readonly type: 'output'; readonly offset: number; readonly lines: readonly string[] }
  | { readonly type: 'gap'; readonly from: number; readonly to: number }
  | { readonly type: 'ack'; readonly ok: boolean; readonly detail?: string }
  | { readonly type: 'notice'; readonly agent: 'away' | 'back' };

const NOTHING: ConsoleContext = {
  ...{ state: 'connecting', reason: null, lines: [], problem: null, refusal: null },
};

const createView = () =>
  createStore({
    context: NOTHING,
    on: {
      moved: (context, change: Partial<ConsoleContext>): ConsoleContext => ({
        ...context,
        ...change,
      }),
      printed: (context, { lines }: { lines: readonly Line[] }): ConsoleContext => ({
        ...context,
        lines: [...context.lines, ...lines].slice(-LINES_MAX),
      }),
    },
  });

/** Where to go on: the next line, and in which log it counts. */
interface Place {
  readonly epoch: string;
  readonly next: number;
}

/** The reason of a close frame, as docs/console.md has it. */
function readReason(reason: string): { reason: string; retryAfterS: number | null } | null {
  try {
    return JSON.parse(reason) as { reason: string; retryAfterS: number | null };
  } catch {
    return null;
  }
}

/** One console: it comes back by itself, goes on where it was, and shows no line twice. */
function createConsole(id: number) {
  const view = createView();
  let socket: WebSocket | null = null;
  let place: Place | null = null;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOpen = false;

  function take(frame: Frame): void {
    if (frame.type === 'hello') {
      // Another log: what was shown has nothing to do with it.
      if (place && place.epoch !== frame.epoch) view.trigger.moved({ lines: [] });
      place = { epoch: frame.epoch, next: frame.from };
      failures = 0;
      view.trigger.moved({ state: 'live', reason: null, problem: null });
    } else if (frame.type === 'output') {
      const lines = frame.lines.map((text, index) => ({ offset: frame.offset + index, text }));
      if (place) place = { ...place, next: frame.offset + lines.length };
      view.trigger.printed({ lines });
    } else if (frame.type === 'gap') {
      const text = `… ${frame.to - frame.from} lines that nobody has any more …`;
      view.trigger.printed({ lines: [{ offset: frame.from, text }] });
    } else if (frame.type === 'ack') {
      view.trigger.moved({ refusal: frame.ok ? null : (frame.detail ?? 'it was not typed') });
    } else if (frame.type === 'notice') {
      view.trigger.moved({ state: frame.agent === 'away' ? 'away' : 'live' });
    }
  }

  function later(afterS: number): void {
    view.trigger.moved({ state: 'connecting' });
    timer = setTimeout(() => void connect(), afterS * 1_000 * (1 + Math.random()));
  }

  function closed(reason: string): void {
    socket = null;
    if (!isOpen) return;
    const said = readReason(reason);
    if (said && said.retryAfterS === null) {
      view.trigger.moved({ state: 'ended', reason: said.reason });
      return;
    }
    failures += 1;
    later(said?.retryAfterS ?? BACKOFF_S[Math.min(failures - 1, BACKOFF_S.length - 1)] ?? 10);
  }

  async function connect(): Promise<void> {
    try {
      const { ticket } = await call('POST /api/servers/{id}/console/ticket', { path: { id } });
      if (!isOpen) return;
      const at = place ? { from: String(place.next), epoch: place.epoch } : {};
      const query = new URLSearchParams({ ticket, ...at });
      const origin = window.location.origin.replace(/^http/, 'ws');
      const opened = new WebSocket(`${origin}/api/servers/${id}/console?${query}`, PROTOCOL);
      socket = opened;
      opened.onmessage = ({ data }) => take(JSON.parse(String(data)) as Frame);
      opened.onclose = ({ reason }) => closed(reason);
    } catch (error) {
      if (!isOpen) return;
      const problem = toProblem(error);
      view.trigger.moved({ problem });
      if (problem.status === 0 || problem.status >= 500) closed('');
      else view.trigger.moved({ state: 'ended', reason: problem.code });
    }
  }

  return {
    view,
    open(): () => void {
      isOpen = true;
      void connect();
      return () => {
        isOpen = false;
        clearTimeout(timer);
        socket?.close();
      };
    },
    type(text: string): boolean {
      if (socket?.readyState !== WebSocket.OPEN) return false;
      view.trigger.moved({ refusal: null });
      socket.send(JSON.stringify({ type: 'command', id: crypto.randomUUID(), text }));
      return true;
    },
  };
}

/** The console of a server, for as long as the page shows it. */
export function useConsole(id: number): ConsoleContext & { type(text: string): boolean } {
  const { view, open, type } = useMemo(() => createConsole(id), [id]);
  useEffect(open, [open]);
  return { ...useSelector(view, ({ context }) => context), type };
}
