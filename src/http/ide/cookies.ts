/** The cookie that a token becomes, and the cookies of others beside it. */

/** Below both prefixes, for none of them may be set or seen by a container. */
const NAME = 'zpack_ide';
const PREFIX = /^__(?:secure|host)-/i;
/** Somebody may have set more than one for a deeper path: the right one is among the first. */
const CANDIDATES_MAX = 4;

export interface CookieOptions {
  readonly isSecure: boolean;
  /** Of the place: empty at a name of its own. */
  readonly prefix: string;
}

interface Pair {
  readonly name: string;
  readonly value: string;
}

/**
 * `__Host-` binds a cookie to its host and to the path `/`, so it is for IDEs with a name of their
 * own. Below `/__ide/<vmid>/` the path has to keep the cookies of two containers apart.
 */
export const cookieName = ({ isSecure, prefix }: CookieOptions): string =>
  isSecure ? `${prefix === '' ? '__Host-' : '__Secure-'}${NAME}` : NAME;

/** What may be our tokens, of a header `Cookie`. */
export function readOurs(header: string | undefined, options: CookieOptions): readonly string[] {
  const wanted = cookieName(options);
  return (header ?? '')
    .split(';')
    .map(splitPair)
    .filter(({ name }) => name === wanted)
    .map(({ value }) => value)
    .slice(0, CANDIDATES_MAX);
}

/** The header without what is ours. undefined: nothing is left. */
export function withoutOurs(header: string | undefined): string | undefined {
  const kept = (header ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '' && !isOurs(splitPair(part).name));
  return kept.length === 0 ? undefined : kept.join('; ');
}

export function setOurs(value: string, ttlS: number, options: CookieOptions): string {
  const { prefix, isSecure } = options;
  const attributes = [`Path=${prefix}/`, `Max-Age=${ttlS}`, 'HttpOnly', 'SameSite=Lax'];
  if (isSecure) attributes.push('Secure');
  return [`${cookieName(options)}=${value}`, ...attributes].join('; ');
}

/**
 * A cookie that a container sets, kept to its own place; null: it may not set this one. One without
 * a name is sent back as if its value were a name, so it could become ours.
 */
export function confine(setCookie: string, { prefix }: { readonly prefix: string }): string | null {
  const [pair = '', ...attributes] = setCookie.split(';');
  const { name } = splitPair(pair);
  if (name === '' || !pair.includes('=') || isOurs(name)) return null;
  const kept = attributes
    .map((attribute) => attribute.trim())
    .filter((attribute) => {
      const word = splitPair(attribute).name.toLowerCase();
      return word !== 'domain' && !(prefix !== '' && word === 'path');
    });
  if (prefix !== '') kept.push(`Path=${pathBelow(prefix, attributes)}`);
  return [pair.trim(), ...kept].join('; ');
}

/** What the container calls its path, as the browser has to call it. */
function pathBelow(prefix: string, attributes: readonly string[]): string {
  const path = attributes
    .map((attribute) => splitPair(attribute))
    .findLast(({ name }) => name.toLowerCase() === 'path')?.value;
  return path?.startsWith('/') ? `${prefix}${path}` : `${prefix}/`;
}

const isOurs = (name: string): boolean => name.replace(PREFIX, '').toLowerCase() === NAME;

function splitPair(text: string): Pair {
  const at = text.indexOf('=');
  if (at === -1) return { name: text.trim(), value: '' };
  return { name: text.slice(0, at).trim(), value: text.slice(at + 1).trim() };
}
