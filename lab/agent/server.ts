import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

import { Agent, type AgentOptions, Refusal } from './agent.ts';
import { answerBackups } from './backup-routes.ts';
import { createBackups } from './backups.ts';
import { readPage } from './console-page.ts';
import { readFaults } from './faults.ts';
import { createFiles, isOfFiles } from './files/serve.ts';
import { createMisbehaviour } from './misbehave.ts';
import { createOnce } from './once.ts';
import { readPayload } from './payload.ts';
import { createConsoleStream } from './stream.ts';

interface AgentServerOptions extends AgentOptions {
  readonly port: number;
  readonly token: string | undefined;
}

interface AgentServer extends AsyncDisposable {
  readonly url: URL;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const BODY_BYTES_MAX = 1024 * 1024;
const command = z.object({ command: z.string().min(1), id: z.string().max(200).optional() });

/** The agent's contract over HTTP, on the container's own address and nowhere else. */
export async function startAgent(options: AgentServerOptions): Promise<AgentServer> {
  const { host, port, root, token } = options;
  const agent = new Agent(options);
  const actOnce = createOnce();
  const backups = createBackups(root);
  await backups.recover();
  const isAllowed = (request: IncomingMessage) =>
    token === undefined || request.headers.authorization === `Bearer ${token}`;

  const misbehave = createMisbehaviour(root);
  const files = createFiles(root, backups.isRestoring);
  function receive(request: IncomingMessage, response: ServerResponse): void {
    if (misbehave(pathOf(request), request, response)) return;
    if (isOfFiles(pathOf(request)) && isAllowed(request)) {
      files.answer(request, response).catch(() => request.socket.destroy());
      return;
    }
    answer(request)
      .catch((error: unknown) => failure(error))
      .then(({ status, body }) => send(response, status, body))
      .catch(() => request.socket.destroy());
  }
  const server = createServer({ requestTimeout: 0 }, receive);
  server.on('checkContinue', receive);

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { slowMs } = readFaults(root);
    if (slowMs) await sleep(slowMs);
    const operation = `${request.method} ${pathOf(request)}`;
    if (operation === 'GET /health') return { status: 200, body: { ok: true } };
    if (!isAllowed(request)) return { status: 401, body: { error: 'unauthorized' } };
    if (backups.isRestoring() && /^POST \/((re)?start|console\/command)$/.test(operation)) {
      return { status: 503, body: { error: 'busy', details: 'a backup is being restored' } };
    }
    const answered = await answerBackups({ root, agent, backups }, request, () =>
      readJson(request),
    );
    return answered ?? (await perform({ agent, actOnce }, operation, request));
  }

  server.on('upgrade', createConsoleStream(agent, isAllowed));
  server.listen(port, host);
  await once(server, 'listening');
  agent.resume();
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return {
    url: new URL(`http://${host}:${bound}`),
    async [Symbol.asyncDispose]() {
      files[Symbol.dispose]();
      server.close();
      server.closeAllConnections();
      await agent.stop().catch(() => undefined);
      await agent.end();
    },
  };
}

const pathOf = (request: IncomingMessage): string =>
  new URL(request.url ?? '/', 'http://localhost').pathname;

interface Parts {
  readonly agent: Agent;
  readonly actOnce: ReturnType<typeof createOnce>;
}

async function perform(
  { agent, actOnce }: Parts,
  operation: string,
  request: IncomingMessage,
): Promise<Answer> {
  const accepted = () => ({ status: 202, body: { ok: true, ...agent.status() } });
  switch (operation) {
    case 'GET /ready':
      return await agent.ready().then(
        ({ readySource }) => ({ status: 200, body: { ready: true, readySource } }),
        (error: Error) => ({ status: 503, body: { ready: false, reason: error.message } }),
      );
    case 'GET /status':
      return { status: 200, body: agent.status() };
    case 'POST /config':
      return configure(agent, await readJson(request));
    case 'POST /start':
      agent.start();
      return accepted();
    case 'POST /stop':
      await agent.stop();
      return { status: 200, body: { ok: true, ...agent.status() } };
    case 'POST /restart':
      await agent.stop();
      agent.start();
      return accepted();
    case 'POST /dev/codeserver/start':
      agent.codeServer().start();
      return accepted();
    case 'POST /dev/codeserver/stop':
      await agent.codeServer().stop();
      return accepted();
    case 'POST /dev/codeserver/restart':
      await agent.codeServer().stop();
      agent.codeServer().start();
      return accepted();
    case 'POST /console/command': {
      const body = command.safeParse(await readJson(request));
      if (!body.success) return { status: 400, body: { error: 'invalid_command' } };
      actOnce(body.data.id, () => agent.command(body.data.command));
      return { status: 200, body: { ok: true } };
    }
    case 'GET /console/log':
      return readPage(agent.console, request.url);
    default:
      return { status: 404, body: { error: 'not_found' } };
  }
}

function configure(agent: Agent, body: unknown): Answer {
  const read = readPayload(body);
  if ('mistakes' in read) {
    return { status: 400, body: { error: 'invalid_payload', details: read.mistakes } };
  }
  const done = agent.configure(read.payload);
  return { status: done ? 200 : 202, body: { ok: true, ...agent.status() } };
}

function failure(error: unknown): Answer {
  if (error instanceof Refusal) {
    const status = error.code === 'body_too_large' ? 413 : 409;
    return { status, body: { error: error.code, details: error.message } };
  }
  if (error instanceof SyntaxError) return { status: 400, body: { error: 'invalid_json' } };
  return { status: 500, body: { error: 'internal_error', details: String(error) } };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Refusal('body_too_large', 'the body is too large');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || 'null');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
