import { z } from 'zod';

import { closedGate } from '../auth/own-token.ts';
import { createBridgeGate } from '../bridge-gate.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';
import { type createProxyReporting, proxyReportBody } from '../proxy-report.ts';

const BODY_MAX = 8 * 1024;

export interface VelocityDependencies {
  readonly report: ReturnType<typeof createProxyReporting>;
  /** undefined: there is no bridge. */
  readonly secret: string | undefined;
  readonly reportsPerS: number;
}

/** What the bridge of Velocity posts. Reports are not deduplicated: the machine records each. */
export function velocityEndpoints({
  report,
  secret,
  reportsPerS,
}: VelocityDependencies): readonly AnyEndpoint[] {
  return [
    publicEndpoint({
      operationId: 'reportProxyStatus',
      summary: 'Take what the bridge of Velocity says of a server',
      tag: 'internal',
      method: 'post',
      path: '/internal/velocity/proxy-status',
      params: nothing,
      query: nothing,
      body: proxyReportBody,
      bodyMax: BODY_MAX,
      gate:
        secret === undefined
          ? closedGate('bridgeSecret', 'VELOCITY_SECRET')
          : createBridgeGate({ secret, reportsPerS }),
      replies: {
        200: z.object({
          ok: z.literal(true),
          outcome: z
            .enum(['applied', 'duplicate', 'late'])
            .describe('late: about an earlier registration, so it is kept and changes nothing'),
        }),
      },
      problems: ['unauthenticated', 'not_found', 'body_too_large', 'limit_exceeded'],
      async handle({ body }) {
        return { status: 200, body: { ok: true, outcome: await report(body) } };
      },
    }),
  ];
}
