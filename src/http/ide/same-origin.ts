import type { IncomingMessage } from 'node:http';

import { ControlPlaneError } from '../../errors.ts';

type Asked = Pick<IncomingMessage, 'method' | 'headers'>;

/**
 * Other origins may lead a browser to an IDE, and do nothing else there. A cookie that is `lax`
 * comes with whatever another name of the same site asks for, and with every WebSocket of it.
 * @throws ControlPlaneError `forbidden`
 */
export function requireSameOrigin(
  { method = 'GET', headers }: Asked,
  { isSecure, isUpgrade }: { readonly isSecure: boolean; readonly isUpgrade: boolean },
): void {
  const { origin, host = '' } = headers;
  const changes = isUpgrade || !['GET', 'HEAD'].includes(method);
  if (origin === undefined ? changes : !isOf(origin, host, isSecure)) {
    throw refused('an IDE answers its own pages only');
  }
  const site = headers['sec-fetch-site'];
  const isElsewhere = site === 'cross-site' || site === 'same-site';
  if (isElsewhere && headers['sec-fetch-mode'] !== 'navigate') {
    throw refused('an IDE is no part of the pages of others');
  }
}

function isOf(origin: string, host: string, isSecure: boolean): boolean {
  const read = URL.parse(origin);
  if (!read || read.origin !== origin) return false;
  // Whoever ends TLS before us may say http to us: what the browser sees is not known here.
  if (isSecure && read.protocol !== 'https:') return false;
  return read.host === URL.parse(`${read.protocol}//${host}`)?.host;
}

const refused = (message: string) => new ControlPlaneError('forbidden', message);
