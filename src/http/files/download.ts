import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';

import type { Download } from '../../clients/agent/download.ts';
import type { Reply } from '../endpoint.ts';

/** Whatever a file is, no browser runs it or guesses what it could be. */
const GUARDS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Cache-Control': 'private, no-cache',
  'Accept-Ranges': 'bytes',
};

/** The name as it is for whoever reads RFC 8187, and what ASCII leaves of it for all others. */
export function attachment(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const plain = name.replace(/[^\x20-\x7e]|["%]/g, '_');
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/**
 * The agent's bytes as they come, at the pace of whoever is slower. If either side ends early, the
 * other one ends as well, short of the length that was promised.
 */
export function replyFile(
  path: string,
  { status, etag, size, contentRange, reprDigest, body }: Download,
  done: () => void,
): Reply {
  return {
    status,
    headers: {
      ...GUARDS,
      'Content-Disposition': attachment(path),
      'Content-Length': String(size),
      ETag: etag,
      ...(contentRange !== undefined && { 'Content-Range': contentRange }),
      ...(reprDigest !== undefined && { 'Repr-Digest': reprDigest }),
    },
    stream(response: ServerResponse) {
      if (response.req.method === 'HEAD') {
        body.destroy();
        response.end();
        return done();
      }
      pipeline(body, response, done);
    },
  };
}
