import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import type { Duplex } from 'node:stream';

import { beHostile, beHostileToUpgrade } from './ide-hostile.ts';
import { createWebSocketServer } from './packages.ts';

interface IdePageOptions {
  readonly root: string;
  readonly host: string;
  readonly port: number;
  /** Where what is typed is done. */
  readonly home: string;
}

/** Everything is said relative to where the page is: it does not know what stands before. */
const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The lab's IDE</title>
<h1>The lab's IDE</h1>
<form><input id="line" autocomplete="off" autofocus></form><pre id="out"></pre>
<script>
const terminal = new WebSocket(new URL('terminal', location.href).href.replace(/^http/, 'ws'));
const out = document.getElementById('out');
terminal.onopen = () => { out.textContent += 'connected\\n'; };
terminal.onclose = () => { out.textContent += 'disconnected\\n'; };
terminal.onmessage = ({ data }) => { out.textContent += data + '\\n'; };
document.querySelector('form').onsubmit = (event) => {
  event.preventDefault();
  const line = document.getElementById('line');
  terminal.send(line.value);
  line.value = '';
};
</script>
</html>
`;

/**
 * Stands in for code-server where that is not installed: a page, and a terminal over a WebSocket
 * that knows `write <name> <text>`, `headers` (those it was opened with) and an echo.
 */
export async function startIdePage(options: IdePageOptions): Promise<AsyncDisposable> {
  const { root, host, port, home } = options;
  const sockets = createWebSocketServer();
  const open = new Set<Duplex>();
  const server = createServer((request, response) => {
    if (!beHostile(root, request, response)) answer(request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
    if (beHostileToUpgrade(root, request, socket)) return;
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      client.on('message', (data) => client.send(obey(data.toString('utf8'), request, home)));
    });
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      for (const socket of open) socket.destroy();
    },
  };
}

function obey(line: string, { headers }: IncomingMessage, home: string): string {
  if (line === 'headers') return JSON.stringify(headers);
  const [, name = '', text = ''] = /^write (\S+) (.*)$/.exec(line) ?? [];
  if (name === '') return line;
  writeFileSync(join(home, basename(name)), `${text}\n`);
  return `written: ${basename(name)}`;
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
  } else if (pathname === '/headers') {
    const { method, url, headers } = request;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ method, url, headers }));
  } else if (pathname === '/echo') {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    request.pipe(response);
  } else {
    response.writeHead(404).end();
  }
}
