import { z } from 'zod';

import type { RouterSights } from '../../storage/router-sights.ts';
import { gateFor } from '../auth/own-token.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';
import { assembledJson } from '../json.ts';
import type { RouteText } from '../route-text.ts';

const section = z.object({
  routers: z.record(
    z.string(),
    z.object({
      entryPoints: z.array(z.string()),
      rule: z.string().optional().describe('Of TCP'),
      service: z.string(),
    }),
  ),
  services: z.record(
    z.string(),
    z.object({
      loadBalancer: z.object({ servers: z.array(z.object({ address: z.string() })) }),
    }),
  ),
});

const routeDocument = z
  .object({ tcp: section.optional(), udp: section.optional() })
  .meta({ id: 'RouteDocument', description: 'As the HTTP provider of Traefik wants it' });

export interface TraefikDependencies {
  readonly routeText: () => RouteText;
  readonly sights: Pick<RouterSights, 'save'>;
  /** Up to which journal entry this node knows the fleet. */
  readonly seq: () => number;
  readonly token: string | undefined;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** Does the header name this very version? A weak tag may be what a proxy has made of ours. */
const isKnown = (ifNoneMatch: string | null, etag: string): boolean =>
  (ifNoneMatch ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === etag || tag === '*');

export function traefikEndpoints(dependencies: TraefikDependencies): readonly AnyEndpoint[] {
  const { routeText, sights, seq, token, now, onError } = dependencies;
  return [
    publicEndpoint({
      operationId: 'getRoutes',
      summary: 'The dynamic configuration of Traefik (HTTP provider)',
      tag: 'internal',
      method: 'get',
      path: '/internal/traefik/dynamic',
      params: nothing,
      query: nothing,
      body: nothing,
      gate: gateFor(token, 'TRAEFIK_TOKEN'),
      reads: ['If-None-Match'],
      replies: { 200: routeDocument, 304: nothing },
      problems: ['unauthenticated', 'not_found'],
      async handle({ headers: { ifNoneMatch } }) {
        // Before the text: what is committed while it is made may be in it, and is not promised.
        const served = seq();
        const { text, etag } = routeText();
        const headers = { ETag: etag, 'Cache-Control': 'no-cache' };
        // Nobody who asks for routes waits for Redis: the next poll makes up for what it missed.
        sights.save({ seq: served, at: now() }).catch(onError);
        if (isKnown(ifNoneMatch, etag)) return { status: 304, headers, body: {} };
        return { status: 200, headers, json: assembledJson(text) };
      },
    }),
  ];
}
