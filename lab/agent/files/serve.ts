import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

import { createTurns } from './changes.ts';
import { createOperations } from './operations.ts';
import { createPlaces } from './places.ts';
import { FileRefusal, toRefusal } from './refusal.ts';
import { createUploads } from './uploads.ts';

const PREFIX = '/game/files';
const SWEEP_MS = 3_600_000;
const LINGER_MS = 500;

export const isOfFiles = (pathname: string): boolean =>
  pathname === PREFIX || pathname.startsWith(`${PREFIX}/`);

/**
 * The files of the game, below `srv/game`. docs/files.md of the control plane is the contract.
 * A body is asked for only when nothing speaks against it (`Expect: 100-continue`); uploads wait
 * in a folder beside the served one, and take their place in one step.
 */
export function createFiles(root: string, isRestoring: () => boolean) {
  const options = {
    root,
    places: createPlaces(join(root, 'srv', 'game')),
    staging: join(root, 'srv', '.zpack-uploads'),
    inTurn: createTurns(isRestoring),
  };
  const uploads = createUploads(options);
  const operations = createOperations(options, uploads);
  const sweeping = setInterval(() => void uploads.sweep(), SWEEP_MS).unref();
  void uploads.sweep();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const operation = operations[`${request.method} ${pathname.slice(PREFIX.length)}`];
    const query = Object.fromEntries(searchParams);
    try {
      if (!operation) throw new FileRefusal('invalid_request', 'there is no such operation');
      const said = await operation({ request, response, query });
      if (said) send(response, said.status, said.body);
    } catch (error) {
      if (response.headersSent) request.socket.destroy();
      if (request.socket.destroyed) return;
      const { status, code, message, more } = toRefusal(error) ?? {
        ...{ status: 500, code: 'internal_error', message: String(error), more: {} },
      };
      send(response, status, { error: code, details: message, ...more });
      linger(request);
    }
  }

  return { answer, [Symbol.dispose]: () => clearInterval(sweeping) };
}

/** Time to read the answer in, for whoever is still sending what nobody wants. */
function linger(request: IncomingMessage): void {
  if (request.complete) return;
  request.on('error', () => undefined);
  request.resume();
  setTimeout(() => request.complete || request.socket.destroy(), LINGER_MS).unref();
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
