import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One address for nodes that come and go, as a load balancer gives them. */
export interface FrontDoor extends AsyncDisposable {
  readonly url: string;
}

/** Leads each request to one of `urls`, in turn; nobody there is a 502. */
export async function startFrontDoor(urls: () => readonly string[]): Promise<FrontDoor> {
  let turn = 0;

  async function lead(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const all = urls();
    turn += 1;
    const base = all[turn % Math.max(all.length, 1)];
    if (base === undefined) return void response.writeHead(502).end();
    const { authorization, 'x-zpack-secret': secret, 'content-type': type } = request.headers;
    const given = { authorization, 'x-zpack-secret': secret, 'content-type': type };
    const headers = Object.entries(given).filter(([, value]) => value !== undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = await fetch(new URL(request.url ?? '/', base), {
      method: request.method ?? 'GET',
      headers: Object.fromEntries(headers) as Record<string, string>,
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const etag = answer.headers.get('etag');
    response.writeHead(answer.status, etag === null ? {} : { etag });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }

  const server = createServer((request, response) => {
    // A node that dies answers nobody, and so does this.
    lead(request, response).catch(() => response.socket?.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
