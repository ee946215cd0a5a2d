import type { IncomingHttpHeaders } from 'node:http';

import { withoutOurs } from './cookies.ts';
import { hopByHop } from './hop-by-hop.ts';

/**
 * Of us, or what others have said of a client: the container believes neither. `expect` is between
 * the client and us, who answer it.
 */
const NOT_ITS_BUSINESS = new Set([
  ...['authorization', 'cookie', 'expect', 'forwarded', 'true-client-ip', 'via'],
  ...['x-client-ip', 'x-original-url', 'x-real-ip', 'x-rewrite-url'],
]);
const isItsBusiness = (name: string): boolean =>
  !NOT_ITS_BUSINESS.has(name) && !/^(?:x-forwarded|cf|x-original)-/.test(name);

export interface ToContainerOptions {
  readonly isSecure: boolean;
  readonly isUpgrade: boolean;
}

/**
 * What of a request's headers its container sees. Made before the proxy has the request: a hook of
 * the proxy would be too late for some of them, and is not called for all.
 */
export function headersToContainer(
  headers: IncomingHttpHeaders,
  { isSecure, isUpgrade }: ToContainerOptions,
): IncomingHttpHeaders {
  const dropped = hopByHop(headers);
  const kept = Object.entries(headers).filter(
    ([name]) => !dropped.has(name) && isItsBusiness(name),
  );
  const cookie = withoutOurs(headers.cookie);
  return {
    ...Object.fromEntries(kept),
    ...(cookie !== undefined && { cookie }),
    ...(headers.host !== undefined && { 'x-forwarded-host': headers.host }),
    'x-forwarded-proto': isSecure ? 'https' : 'http',
    ...(isUpgrade && { connection: 'Upgrade', upgrade: 'websocket' }),
    ...(!isUpgrade && asksToClose(headers) && { connection: 'close' }),
  };
}

const asksToClose = ({ connection = '' }: IncomingHttpHeaders): boolean =>
  /(?:^|,)\s*close\s*(?:,|$)/i.test(connection);
