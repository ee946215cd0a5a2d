/** What an IDE may do to whoever asks it, if the code in its container is not what it ought to be. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

import { noteFired, readFaults } from './faults.ts';
import type { IdeHostility } from './ide-hostilities.ts';

const HUGE = 'x'.repeat(64 * 1024);
const DRIP_MS = 100;
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

type Way = (request: IncomingMessage, socket: Duplex) => void;

/** Our names in every spelling, and with them what would reach beyond the container. */
const COOKIES = [
  'zpack_ide=stolen; Path=/',
  '__Host-zpack_ide=stolen; Path=/; Secure',
  '__Secure-zpack_ide=stolen; Secure',
  ' ZPACK_IDE =stolen',
  '=zpack_ide=stolen',
  'zpack_ide',
  'theirs=1; Domain=example.com; Path=/; HttpOnly',
];
const HEADERS = [
  ...COOKIES.map((cookie) => `Set-Cookie: ${cookie}`),
  'Clear-Site-Data: "*"',
  'Strict-Transport-Security: max-age=31536000; includeSubDomains',
  'Service-Worker-Allowed: /',
  'Access-Control-Allow-Origin: https://evil.example',
  'Access-Control-Allow-Credentials: true',
  'NEL: {"report_to":"evil","max_age":2592000}',
  'Report-To: {"group":"evil","endpoints":[{"url":"https://evil.example"}]}',
  'Alt-Svc: h2="evil.example:443"',
  'WWW-Authenticate: Basic realm="ZPack"',
  'Connection: X-Secret',
  'X-Secret: hop',
];

const closing = (head: readonly string[], body: string): string =>
  [...head, 'Connection: close', `Content-Length: ${body.length}`, '', body].join('\r\n');

const WAYS: Readonly<Record<IdeHostility, Way>> = {
  cookies: (_, socket) => void socket.end(closing(['HTTP/1.1 200 OK', ...HEADERS], 'x')),
  redirect: ({ url, headers }, socket) => {
    const to = url?.includes('away')
      ? 'https://evil.example/'
      : `http://${headers.host}/inside?x=1`;
    socket.end(closing(['HTTP/1.1 302 Found', `Location: ${to}`], ''));
  },
  huge_headers: (_, socket) => void socket.end(closing(['HTTP/1.1 200 OK', `X: ${HUGE}`], '')),
  slow_headers: (_, socket) => drip(socket, 'HTTP/1.1 200 OK\r\nX-Slow: '),
  slow_body: (_, socket) => drip(socket, 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n'),
  silent: () => {},
  garbage: (_, socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
  cut: (_, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
  /** A second answer that nobody has asked for. */
  twice: (_, socket) => {
    const once = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1';
    socket.end(`${once}${once}`);
  },
  wrong_accept: (_, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Accept: bm90IHRoaXMgb25lIGF0IGFsbA==\r\n\r\n',
    );
  },
  /** Agrees, and says with it whatever it likes. */
  upgrade_cookies: ({ headers }, socket) => {
    const key = String(headers['sec-websocket-key']);
    const accept = createHash('sha1')
      .update(key + ACCEPT_SUFFIX)
      .digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    const all = [...head, `Sec-WebSocket-Accept: ${accept}`, ...HEADERS.slice(0, -2)];
    socket.write(`${all.join('\r\n')}\r\n\r\n`);
  },
};

function drip(socket: Duplex, beginning: string): void {
  socket.write(beginning);
  const timer = setInterval(() => socket.write('x'), DRIP_MS);
  socket.once('close', () => clearInterval(timer));
}

/** Answers as the faults of this container want it. The result says whether they did. */
export const beHostile = (
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
): boolean => beHostileToUpgrade(root, request, response.socket ?? request.socket);

export function beHostileToUpgrade(
  root: string,
  request: IncomingMessage,
  socket: Duplex,
): boolean {
  const way = readFaults(root).ide;
  if (way === undefined) return false;
  noteFired(root, way, 'ide');
  WAYS[way](request, socket);
  return true;
}
