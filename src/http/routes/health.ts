import { z } from 'zod';

import { UnavailableError } from '../../errors.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';

const ok = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });
const common = {
  tag: 'health',
  method: 'get',
  params: nothing,
  query: nothing,
  body: nothing,
} as const;
const alive = async () => ({ status: 200, body: { status: 'ok' } });

/** `checks`: what this process cannot work without, each rejecting if it does not answer. */
export function healthEndpoints(
  checks: Readonly<Record<string, () => Promise<unknown>>>,
): readonly AnyEndpoint[] {
  return [
    publicEndpoint({
      ...common,
      operationId: 'getHealth',
      summary: 'Is the API there?',
      path: '/api/health',
      replies: { 200: ok },
      problems: [],
      handle: alive,
    }),
    publicEndpoint({
      ...common,
      operationId: 'getLiveness',
      summary: 'Does this process run?',
      path: '/livez',
      replies: { 200: ok },
      problems: [],
      handle: alive,
    }),
    publicEndpoint({
      ...common,
      operationId: 'getReadiness',
      summary: 'Can this process do its work?',
      path: '/readyz',
      replies: { 200: ok },
      problems: ['unavailable'],
      async handle() {
        const names = Object.keys(checks);
        const results = await Promise.allSettled(names.map((name) => checks[name]?.()));
        const failed = names.filter((_, index) => results[index]?.status === 'rejected');
        if (failed.length === 0) return { status: 200, body: { status: 'ok' } };
        throw new UnavailableError(`no answer from ${failed.join(' and ')}`, {
          details: { failed },
        });
      },
    }),
  ];
}
