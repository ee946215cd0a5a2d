import { type Request, Router } from 'express';

import { ControlPlaneError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createTokenGate } from './auth/own-token.ts';
import { isNeighbour } from './neighbours.ts';

function admitNeighbours(request: Request): void {
  if (isNeighbour(request)) return;
  const message = 'METRICS_TOKEN is not set, so metrics are only for this machine';
  throw new ControlPlaneError('forbidden', message);
}

/** `/metrics`, for whoever knows the token; if there is none, for this machine alone. */
export function createMetricsRouter(
  metrics: Pick<Metrics, 'contentType' | 'render'>,
  token: string | undefined,
): Router {
  const admitToken = token === undefined ? null : createTokenGate(token);
  const router = Router();
  router.get('/metrics', async (request, response) => {
    if (admitToken) admitToken(request.get('authorization'));
    else admitNeighbours(request);
    const text = await metrics.render();
    response.setHeader('Content-Type', metrics.contentType);
    response.setHeader('Cache-Control', 'no-store');
    response.end(text);
  });
  return router;
}
