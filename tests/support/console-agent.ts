import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';

import { type Console, openConsole } from '../../lab/agent/console.ts';
import { readPage } from '../../lab/agent/console-page.ts';
import { createConsoleStream } from '../../lab/agent/stream.ts';

const TOKEN = 'the token of the agents';

/**
 * The console of the reference agent without a game: a test says what is said, and sees what was
 * typed. It answers on one port of every loopback address.
 */
export async function startConsoleAgent(folder: string) {
  const commands: { readonly command: string; readonly id?: string }[] = [];
  const typed: string[] = [];
  const seen = { upgrades: [] as IncomingMessage[], pages: [] as string[] };
  const answers = { isBare: false, commandStatus: 200 };
  let console: Console;
  let server: Server | undefined;
  let port = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return void send(401, {});
    const { url = '' } = request;
    if (url.startsWith('/console/log') && !answers.isBare) {
      seen.pages.push(url);
      const { status, body } = readPage(console, url);
      return void send(status, body);
    }
    if (url !== '/console/command') return void send(404, { error: 'not_found' });
    commands.push((await json(request)) as { command: string });
    if (answers.commandStatus === 200) send(200, { ok: true });
    else send(answers.commandStatus, { error: 'not_running' });
  }

  async function start(): Promise<void> {
    console = openConsole(folder);
    const agent = { console, command: (line: string) => void typed.push(line) };
    const stream = createConsoleStream(
      agent,
      ({ headers }) => headers.authorization === `Bearer ${TOKEN}`,
    );
    server = createServer((request, response) => {
      answer(request, response).catch(() => request.socket.destroy());
    });
    server.on('upgrade', (request, socket, head) => {
      seen.upgrades.push(request);
      // As an agent of before, which knows nothing of what it is asked for.
      if (answers.isBare) request.url = '/console/stream';
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      stream(request, socket, head);
    });
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  }
  const sockets = new Set<Duplex>();

  async function stop(): Promise<void> {
    if (!server) return;
    const closing = server;
    server = undefined;
    closing.close();
    closing.closeAllConnections();
    for (const socket of sockets) socket.destroy();
    await once(closing, 'close');
  }

  await start();
  return {
    ...{ port, token: TOKEN, commands, typed, seen, answers, start, stop },
    say: (...lines: readonly string[]) => {
      for (const line of lines) console.write(line);
    },
    /** All that is kept, by number. */
    log(): readonly (readonly [number, string])[] {
      const lines: [number, string][] = [];
      for (let at = console.first(); at < console.next(); ) {
        const page = console.read(at);
        lines.push(...page.map((line, index): [number, string] => [at + index, line]));
        at += page.length;
      }
      return lines;
    },
    /** Whoever is connected hears nothing any more, and is not told why. */
    freeze: () => {
      for (const socket of sockets) {
        socket.pause();
        socket.cork();
      }
    },
    connections: () => sockets.size,
    [Symbol.asyncDispose]: stop,
  };
}
