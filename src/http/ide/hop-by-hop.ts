import type { IncomingHttpHeaders } from 'node:http';

/** What is between two neighbours, and goes no further. */
const HOP_BY_HOP = [
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization'],
  ...['proxy-connection', 'te', 'trailer', 'upgrade'],
] as const;
/** Named there they would vanish on the way, and what is left would be read as something else. */
const ALWAYS_KEPT = new Set(['host', 'content-length', 'transfer-encoding', 'cookie', 'origin']);

/** Their names in this message: those that always are, and those that `Connection` names. */
export function hopByHop({ connection = '' }: IncomingHttpHeaders): ReadonlySet<string> {
  const named = connection
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => !ALWAYS_KEPT.has(name));
  return new Set([...HOP_BY_HOP, ...named]);
}
