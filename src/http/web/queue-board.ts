import { type RequestHandler, Router } from 'express';
import { z } from 'zod';

import type { Authenticate } from '../auth/principal.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { requireAdmin } from '../routes/reconcile.ts';

/** Where the board is. */
export const BOARD_PATH = '/admin/queues';

const COOKIE = 'zpack_board';
const VISIT_S = 600;

/** It draws with styles of its own, and asks nobody but this service: not even for its letters. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

/**
 * A browser that follows a link sends no token. So an administrator asks for a visit, and gets his
 * own token back as a cookie that goes to the board alone, for some minutes.
 */
export function queueBoardEndpoints(): readonly AnyEndpoint[] {
  return [
    endpoint({
      operationId: 'visitQueues',
      summary: 'Open the board of the queues in this browser for ten minutes',
      tag: 'admin',
      method: 'post',
      path: '/api/admin/queues/visit',
      params: nothing,
      query: nothing,
      body: nothing,
      replies: { 200: z.object({ ok: z.literal(true), url: z.string() }) },
      problems: ['unauthenticated', 'forbidden'],
      async handle({ principal, header }) {
        requireAdmin(principal);
        const token = (header('authorization') ?? '').replace(/^Bearer /, '');
        const isEncrypted = header('x-forwarded-proto') === 'https';
        const parts = [
          `${COOKIE}=${token}`,
          `Path=${BOARD_PATH}`,
          `Max-Age=${VISIT_S}`,
          'HttpOnly',
          'SameSite=Strict',
          ...(isEncrypted ? ['Secure'] : []),
        ];
        return {
          status: 200,
          headers: { 'Set-Cookie': parts.join('; '), 'Cache-Control': 'no-store' },
          body: { ok: true, url: BOARD_PATH },
        };
      },
    }),
  ];
}

const tokenOf = (cookies = ''): string | undefined =>
  cookies
    .split(';')
    .map((one) => one.trim())
    .find((one) => one.startsWith(`${COOKIE}=`))
    ?.slice(COOKIE.length + 1);

/**
 * The board, for administrators only: whether they still are is asked with every request. It is
 * opened for the first of them, as most nodes never show it.
 */
export function createQueueBoardRouter(
  authenticate: Authenticate,
  openBoard: () => Promise<RequestHandler>,
): Router {
  let opening: Promise<RequestHandler> | undefined;
  const show: RequestHandler = async (request, response, next) => {
    const token = tokenOf(request.headers.cookie);
    requireAdmin(await authenticate(token === undefined ? undefined : `Bearer ${token}`));
    response.set(HEADERS);
    opening ??= openBoard();
    const board = await opening;
    await board(request, response, next);
  };
  const router = Router();
  router.use(BOARD_PATH, show);
  return router;
}
