import { z } from 'zod';

import type { ErrorCode } from '../errors.ts';
import { type AnyEndpoint, nothing, type ReadableHeader } from './endpoint.ts';
import { PROBLEMS } from './problem.ts';

const PROBLEM = { $ref: '#/components/schemas/Problem' };

const problemSchema = {
  type: 'object',
  description: 'RFC 9457. `error` is a stable code; docs/problems.md explains each.',
  required: ['type', 'title', 'status', 'instance', 'error'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    error: { type: 'string' },
    allowedActions: { type: 'array', items: { type: 'string' } },
  },
};

const HEADERS = {
  'Idempotency-Key': 'The same key, the same work: it is done once',
  Prefer: '`wait=N`: answer when it is done, at most after N s',
  'Last-Event-ID': 'The last event that was received: go on behind it',
  'If-Match': 'The `ETag` of what was read: only that is replaced',
  'If-None-Match': 'The `ETag` of what is known already; `*`: only if there is none',
  'If-Range': 'The `ETag` of what `Range` goes on with: all of it if it is another one by now',
  Range: '`bytes=<first>-<last>`: a part',
  'Want-Repr-Digest': '`sha-256=1`: with the checksum of the whole, in `Repr-Digest`',
  Expect: '`100-continue`: the body is asked for when nothing speaks against it',
} as const satisfies Record<ReadableHeader, string>;

interface JsonSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly $defs?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

const SECURITY = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  ownToken: { type: 'http', scheme: 'bearer', description: 'A token of the configuration' },
  bridgeSecret: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Zpack-Secret',
    description: 'SHA-256 of the secret that is shared with the bridge of Velocity, as hex',
  },
};

const securityOf = ({ isPublic, gate }: AnyEndpoint) =>
  gate ? [{ [gate.scheme]: [] }] : isPublic ? [] : [{ bearer: [] }];

/**
 * Whatever has a schema can be sent something else, whatever writes can find no database, and
 * whoever is signed in may be so by a token for something else.
 */
const problemsOf = ({ params, query, body, problems, method, isPublic }: AnyEndpoint) => [
  ...new Set<ErrorCode>([
    ...(isPublic ? [] : (['scope_missing'] as const)),
    ...([params, query, body].every((one) => one === nothing) ? [] : (['invalid_input'] as const)),
    ...problems,
    ...(method === 'get' ? [] : (['unavailable'] as const)),
  ]),
];

const describeProblems = (problems: readonly ErrorCode[]) =>
  Object.entries(Object.groupBy(problems, (code) => PROBLEMS[code].status)).map(
    ([status, codes = []]) => [
      status,
      {
        description: codes.map((code) => `${code}: ${PROBLEMS[code].title}`).join('; '),
        content: { 'application/problem+json': { schema: PROBLEM } },
      },
    ],
  );

const BYTES: JsonSchema = { type: 'string', format: 'binary' };

/** Whoever signs it says what is in it. */
const SIGNED_BODY: JsonSchema = { type: 'object' };

/** The OpenAPI 3.1 document of these endpoints: a pure function of their definitions. */
export function describeApi(endpoints: readonly AnyEndpoint[], version: string): object {
  const schemas: Record<string, unknown> = { Problem: problemSchema };

  function toSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const text = JSON.stringify(z.toJSONSchema(schema, { io, unrepresentable: 'any' }));
    const {
      $schema: _,
      $defs,
      ...rest
    } = JSON.parse(text.replaceAll('#/$defs/', '#/components/schemas/')) as JsonSchema;
    for (const [name, definition] of Object.entries($defs ?? {})) schemas[name] = definition;
    return rest;
  }

  function parametersOf({ params, query, reads = [] }: AnyEndpoint) {
    const inPlace = (place: 'path' | 'query', schema: JsonSchema) =>
      Object.entries(schema.properties ?? {}).map(([name, one]) => ({
        name,
        in: place,
        required: place === 'path' || (schema.required ?? []).includes(name),
        schema: one,
      }));
    const headers = reads.map((name) => ({
      name,
      in: 'header',
      required: false,
      schema: { type: 'string' },
      description: HEADERS[name],
    }));
    return [
      ...inPlace('path', toSchema(params, 'input')),
      ...inPlace('query', toSchema(query, 'input')),
      ...headers,
    ];
  }

  function responsesOf(endpoint: AnyEndpoint) {
    const { replies, summary, contentType } = endpoint;
    const good = Object.entries(replies).map(([status, schema]) => [
      status,
      {
        description: summary,
        ...(schema !== nothing && {
          content: {
            [contentType ?? 'application/json']: { schema: toSchema(schema, 'output') },
          },
        }),
      },
    ]);
    return Object.fromEntries([...good, ...describeProblems(problemsOf(endpoint))]);
  }

  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of endpoints) {
    const path = endpoint.path.replace(/:(\w+)/g, '{$1}');
    const { takesStream, signedBy } = endpoint;
    const body = takesStream ? BYTES : signedBy ? SIGNED_BODY : toSchema(endpoint.body, 'input');
    const bodyType = takesStream ? 'application/octet-stream' : 'application/json';
    const hasBody = body.properties === undefined || Object.keys(body.properties).length > 0;
    paths[path] = {
      ...paths[path],
      [endpoint.method]: {
        operationId: endpoint.operationId,
        summary: endpoint.summary,
        tags: [endpoint.tag],
        security: securityOf(endpoint),
        parameters: parametersOf(endpoint),
        ...(hasBody && {
          requestBody: { required: true, content: { [bodyType]: { schema: body } } },
        }),
        responses: responsesOf(endpoint),
      },
    };
  }
  return {
    openapi: '3.1.1',
    info: { title: 'ZPack', version, description: 'Control plane of game servers and IDEs' },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: SECURITY,
    },
  };
}
