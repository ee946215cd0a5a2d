import { z } from 'zod';

import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { CATALOGUE } from '../instance-order.ts';

const range = z.object({ min: z.number().int(), max: z.number().int() });

const catalogueView = z
  .object({
    games: z.array(
      z.object({
        id: z.string(),
        port: z.number().int().describe('What it listens on if the order names none'),
        variants: z.array(z.string()).describe('The first one if the order names none'),
      }),
    ),
    memoryMiB: range,
    cpuCores: range.extend({ default: z.number().int() }),
    ports: range.extend({ most: z.number().int().describe('So many at the most') }),
    version: z.string().describe('What a version looks like: a regular expression'),
    runtime: z.string().describe('What the name of a runtime looks like: a regular expression'),
  })
  .meta({ id: 'Catalogue', description: 'What an order may say' });

export function catalogueEndpoints(): readonly AnyEndpoint[] {
  return [
    endpoint({
      operationId: 'getCatalogue',
      summary: 'What can be ordered',
      tag: 'instances',
      method: 'get',
      path: '/api/catalogue',
      params: nothing,
      query: nothing,
      body: nothing,
      replies: { 200: catalogueView },
      problems: ['unauthenticated'],
      handle: async () => ({ status: 200, body: CATALOGUE }),
    }),
  ];
}
