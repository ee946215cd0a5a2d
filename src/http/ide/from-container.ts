import type { IncomingHttpHeaders } from 'node:http';

import { confine } from './cookies.ts';
import { hopByHop } from './hop-by-hop.ts';
import type { IdePlace } from './place.ts';
import { onThisHost } from './url-token.ts';

/**
 * What would speak for more than the container: for the whole host that the API has too
 * (`clear-site-data`, …), about who asks (`www-authenticate`: the answer would not get through),
 * or to other origins, for which there is nothing here.
 */
const NOT_ITS_WORD = new Set([
  ...['accept-ch', 'alt-svc', 'clear-site-data', 'critical-ch', 'expect-ct', 'nel', 'report-to'],
  ...['reporting-endpoints', 'public-key-pins', 'public-key-pins-report-only', 'set-cookie'],
  ...['strict-transport-security', 'transfer-encoding', 'www-authenticate', 'x-request-id'],
]);
const isItsWord = (name: string): boolean =>
  !NOT_ITS_WORD.has(name) && !name.startsWith('access-control-');

export interface FromContainerOptions {
  readonly place: IdePlace;
  /** Where the container is asked, as `10.0.0.5:8080`. */
  readonly target: string;
  /** Where the browser asks. */
  readonly host: string;
  /** Who else may show it in a frame. */
  readonly framers: readonly string[];
  /** Our own cookie, when it is to be set. */
  readonly cookie: string | null;
  readonly isUpgrade: boolean;
}

/** What of an answer's headers a browser sees. */
export function headersFromContainer(
  headers: IncomingHttpHeaders,
  options: FromContainerOptions,
): IncomingHttpHeaders {
  const { place, framers, cookie, isUpgrade } = options;
  const dropped = hopByHop(headers);
  const kept = Object.fromEntries(
    Object.entries(headers).filter(([name]) => !dropped.has(name) && isItsWord(name)),
  );
  const theirs = (headers['set-cookie'] ?? []).map((one) => confine(one, place));
  const cookies = [...theirs, cookie].filter((one) => one !== null);
  if (cookies.length > 0) kept['set-cookie'] = cookies;
  for (const name of ['location', 'content-location', 'refresh'] as const) {
    const value = kept[name];
    if (typeof value === 'string') kept[name] = relocate(value, name, options);
  }
  if (isUpgrade) return { ...kept, connection: 'Upgrade', upgrade: 'websocket' };
  const frames = `frame-ancestors ${["'self'", ...framers].join(' ')}`;
  const policy = kept['content-security-policy'];
  kept['content-security-policy'] = policy === undefined ? frames : `${policy}, ${frames}`;
  // Whoever is between us and the browser keeps nothing: it was meant for one person.
  const caching = kept['cache-control'];
  if (typeof caching === 'string') kept['cache-control'] = asPrivate(caching);
  if (place.prefix !== '' && kept['service-worker-allowed'] !== undefined) {
    kept['service-worker-allowed'] = `${place.prefix}/`;
  }
  return kept;
}

const asPrivate = (caching: string): string =>
  [
    'private',
    ...caching
      .split(',')
      .map((one) => one.trim())
      .filter((one) => !/^(?:public|private|s-maxage=.*)$/i.test(one)),
  ].join(', ');

/** Its own places are below the prefix for the browser; what leads elsewhere leads there. */
function relocate(value: string, name: string, options: FromContainerOptions): string {
  if (name === 'refresh') {
    return value.replace(
      /^(\s*[\d.]+\s*[;,]\s*(?:url\s*=\s*)?["']?)([^"']+)/i,
      (_, before: string, url: string) => before + rebase(url, options),
    );
  }
  return rebase(value, options);
}

function rebase(url: string, { place: { prefix }, target, host }: FromContainerOptions): string {
  const read = URL.parse(url, `http://${target}/`);
  if (!read) return url;
  const isAbsolute = /^(?:[a-z][a-z0-9+.-]*:|[/\\]{2})/i.test(url);
  if (isAbsolute && read.host !== target && read.host !== host) return url;
  if (!isAbsolute && !/^[/\\]/.test(url)) return url;
  const path = onThisHost(`${read.pathname}${read.search}${read.hash}`);
  return prefix !== '' && (path === prefix || path.startsWith(`${prefix}/`)) ? path : prefix + path;
}
