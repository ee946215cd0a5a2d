import { useSyncExternalStore } from 'react';

/** Behind the `#`, so that every page can be loaded from the one address that the service has. */
const read = (): string => location.hash.slice(1) || '/';

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

export const hrefOf = (...segments: readonly (string | number)[]): string =>
  `#/${segments.map((one) => encodeURIComponent(String(one))).join('/')}`;

export function go(href: string): void {
  location.hash = href;
}

/** The segments of the present address: `#/servers/5000/files` is `['servers', '5000', 'files']`. */
export function useRoute(): readonly string[] {
  const path = useSyncExternalStore(subscribe, read);
  return path.split('/').filter(Boolean).map(decodeURIComponent);
}
