import { looksLikeIdeToken } from '../auth/tokens.ts';
import { TOKEN_PARAMETER } from './place.ts';

/** A path and query, and the tokens of ours that stood in it. */
export interface Untokened {
  readonly tokens: readonly string[];
  readonly path: string;
}

/**
 * Takes our tokens out of a URL, also those that have expired. What bears the same name and is not
 * ours belongs to what runs in the container, and stays.
 */
export function takeTokens(url: string): Untokened {
  const start = url.indexOf('?');
  if (start === -1) return { tokens: [], path: url };
  const tokens: string[] = [];
  const kept = url
    .slice(start + 1)
    .split('&')
    .filter((pair) => {
      // As a form is read: letters may be written as %74, and a name may come twice.
      const [[name, value] = ['', '']] = new URLSearchParams(pair);
      if (name !== TOKEN_PARAMETER || !looksLikeIdeToken(value)) return true;
      tokens.push(value);
      return false;
    });
  const query = kept.length === 0 ? '' : `?${kept.join('&')}`;
  return { tokens, path: url.slice(0, start) + (tokens.length === 0 ? url.slice(start) : query) };
}

/** A place on the same host, whatever it looks like: `//elsewhere` would be another one. */
export const onThisHost = (path: string): string => path.replace(/^[/\\]+/, '/');
