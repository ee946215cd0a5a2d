import { once } from 'node:events';

import { WebSocket } from 'ws';

import { until } from './until.ts';

export interface ViewerOptions {
  readonly token?: string;
  readonly query?: Readonly<Record<string, string | number>>;
  /** Bare lines, as clients of before have them. */
  readonly isPlain?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
type Frame = any;

/** What a refused upgrade is answered. */
export class Refused extends Error {
  readonly status: number;
  readonly body: Frame;

  constructor(status: number, text: string) {
    super(`refused: ${status} ${text}`);
    this.status = status;
    this.body = text.startsWith('{') ? JSON.parse(text) : text;
  }
}

/** One who looks at a console. @throws Refused */
export async function openViewer(url: string, vmid: number | string, options: ViewerOptions) {
  const { token, query = {}, isPlain = false, headers = {} } = options;
  const address = new URL(`/api/servers/${vmid}/console`, url.replace(/^http/, 'ws'));
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, `${value}`);
  const socket = new WebSocket(address, isPlain ? [] : ['zpack.console.v1'], {
    headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    perMessageDeflate: false,
  });
  const frames: Frame[] = [];
  const lines: (readonly [number, string])[] = [];
  const texts: string[] = [];
  let closed: { readonly code: number; readonly reason: Frame } | undefined;
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const text = String(data);
    texts.push(text);
    if (isPlain) return;
    const frame = JSON.parse(text) as Frame;
    frames.push(frame);
    if (frame.type !== 'output') return;
    for (const [index, line] of frame.lines.entries()) lines.push([frame.offset + index, line]);
  });
  socket.on('close', (code, reason) => {
    const text = reason.toString();
    closed = { code, reason: text.startsWith('{') ? JSON.parse(text) : text };
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (request, response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => reject(new Refused(response.statusCode ?? 0, text)));
      response.on('error', reject);
      request.on('error', reject);
    });
    socket.once('error', reject);
  });
  return {
    ...{ socket, frames, lines, texts },
    of: (type: string) => frames.filter((frame) => frame.type === type),
    closed: () => closed,
    send: (frame: object | string) =>
      socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    saw: (line: string) =>
      until(() => lines.some(([, one]) => one === line) || texts.includes(line), {
        what: `the line ${line}, closed: ${JSON.stringify(closed)}`,
      }),
    got: (type: string, count = 1) =>
      until(
        () => {
          const found = frames.filter((frame) => frame.type === type);
          return found.length >= count && (found[count - 1] as Frame);
        },
        { what: `${count} frames of ${type}, closed: ${JSON.stringify(closed)}` },
      ),
    waitClosed: () => until(() => closed, { what: 'the console to be closed', timeoutMs: 8_000 }),
    async close() {
      if (closed) return;
      socket.terminate();
      await once(socket, 'close');
    },
  };
}
