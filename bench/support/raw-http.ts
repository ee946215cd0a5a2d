import { once } from 'node:events';
import { connect as open } from 'node:net';

interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly body?: string;
}

export interface RawConnection {
  /** One at a time. */
  request(request: RawRequest): Promise<{ readonly status: number; readonly text: string }>;
  close(): void;
}

/**
 * Just enough HTTP/1.1 to load our own server, which answers with a Content-Length: clients share
 * the machine with what they measure, and a complete client costs as much as the server.
 */
export async function connect(url: string): Promise<RawConnection> {
  const { host, hostname, port } = new URL(url);
  const socket = open({ host: hostname, port: Number(port), noDelay: true }).setEncoding('latin1');
  await once(socket, 'connect');
  let waiting = Promise.withResolvers<{ status: number; text: string }>();
  let received = '';
  let expected = -1;
  socket.on('data', (chunk: string) => {
    received += chunk;
    if (expected < 0) {
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, head))?.[1];
      if (length === undefined) return void socket.destroy(new Error(received));
      expected = head + 4 + Number(length);
    }
    if (received.length < expected) return;
    const status = Number(received.slice(9, 12));
    const text = received.slice(received.indexOf('\r\n\r\n') + 4);
    [received, expected] = ['', -1];
    waiting.resolve({ status, text });
  });
  socket.on('error', (error) => waiting.reject(error));
  socket.on('end', () => waiting.reject(new Error('the server closed the connection')));
  return {
    request({ method, path, token, body = '' }) {
      waiting = Promise.withResolvers();
      socket.write(
        `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}
