import { createServer, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';

import { WebSocket, WebSocketServer } from 'ws';

/**
 * Shows instances live in the Stately inspector: a page on this machine, which holds the inspector
 * of stately.ai in a frame, and hands it what an API tells an administrator of them. What the page
 * shows goes to whoever serves that frame, so do not watch what nobody else may see.
 */
const HELP = `npm run inspect -- [--api http://127.0.0.1:4000] [--port 4400] [--user admin] [<vmid> …]

Without a VMID all instances are watched, if the API was started with INSPECT=1.
The password of the administrator is read from ZPACK_PASSWORD, or an API token from ZPACK_TOKEN.`;

const INSPECTOR = 'https://stately.ai/inspect';
/** As much as a page that is opened later is told of what was before it. */
const REPLAY_MAX = 2_000;
const RETRY_MS = 2_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    api: { type: 'string', default: 'http://127.0.0.1:4000' },
    port: { type: 'string', default: '4400' },
    user: { type: 'string', default: 'admin' },
    help: { type: 'boolean', default: false },
  },
});

const page = `<!doctype html><meta charset="utf-8"><title>ZPack · Stately inspector</title>
<style>html,body{margin:0;height:100%}iframe{border:0;width:100%;height:100%}</style>
<iframe src="${INSPECTOR}"></iframe>
<script>
const frame = document.querySelector('iframe'), waiting = [];
let isReady = false;
const tell = (message) => frame.contentWindow.postMessage(message, '${new URL(INSPECTOR).origin}');
addEventListener('message', ({ source, data }) => {
  if (source !== frame.contentWindow || data?.type !== '@statelyai.connected') return;
  isReady = true;
  for (const message of waiting.splice(0)) tell(message);
});
new WebSocket(location.origin.replace(/^http/, 'ws')).onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (isReady) tell(message); else waiting.push(message);
};
</script>
`;

async function findToken(): Promise<string> {
  const { ZPACK_TOKEN: token, ZPACK_PASSWORD: password } = process.env;
  if (token) return token;
  if (!password) throw new Error(`set ZPACK_PASSWORD or ZPACK_TOKEN\n\n${HELP}`);
  const answer = await fetch(new URL('/api/auth/login', values.api), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: values.user, password }),
  });
  if (!answer.ok) throw new Error(`signing in as ${values.user} was answered ${answer.status}`);
  return ((await answer.json()) as { token: string }).token;
}

/** Until the API sends us away for good. */
async function follow(tell: (message: string) => void): Promise<void> {
  const url = new URL('/api/admin/inspect', values.api.replace(/^http/, 'ws'));
  for (const vmid of positionals) url.searchParams.append('vmid', vmid);
  for (;;) {
    const headers = { authorization: `Bearer ${await findToken()}` };
    const socket = new WebSocket(url, { headers });
    socket.on('message', (data) => tell(String(data)));
    const end = await new Promise<string>((resolve, reject) => {
      socket.on('unexpected-response', (_, { statusCode, statusMessage }) =>
        reject(new Error(`the API answered ${statusCode} ${statusMessage}`)),
      );
      socket.on('error', ({ message }) => resolve(message));
      socket.on('close', (code, reason) => resolve(`${code} ${reason}`));
    });
    console.error(`the API has gone (${end}): trying again`);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function main(): Promise<void> {
  if (values.help) {
    console.log(HELP);
    return;
  }
  const told: string[] = [];
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(page);
  });
  const viewers = new WebSocketServer({
    server,
    // Only our own page: any other one that is open in the browser could read along.
    verifyClient: ({ origin, req }: { origin: string; req: IncomingMessage }) =>
      origin === `http://${req.headers.host}`,
  });
  viewers.on('connection', (viewer) => {
    for (const message of told) viewer.send(message);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(values.port), '127.0.0.1', resolve);
  });
  console.log(`open http://127.0.0.1:${values.port}`);
  await follow((message) => {
    told.push(message);
    // What says who there is stays, so that whoever comes later can draw them.
    if (told.length > REPLAY_MAX)
      told.splice(
        told.findIndex((one) => !isActor(one)),
        1,
      );
    for (const viewer of viewers.clients) viewer.send(message);
  });
}

const isActor = (message: string) => message.includes('"type":"@xstate.actor"');

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
