import type { IncomingMessage, ServerResponse } from 'node:http';

import { ControlPlaneError, UpstreamError } from '../../errors.ts';
import { allowedActionsOf } from '../../machines/instance/wishes.ts';
import type { FleetEntry } from '../../view/fleet.ts';
import { toProblem } from '../problem.ts';
import { PAGE_POLICY, type Page, renderPage } from './page.ts';
import type { IdePlace } from './place.ts';

/** What our own pages post to, below the prefix of the IDE. */
export const ACTIONS = {
  start: '/__zpack/start',
  restart: '/__zpack/restart',
} as const;
export type Action = keyof typeof ACTIONS;

const REFRESH_S = 3;

export interface RefusalContext {
  readonly place: IdePlace | null;
  /** null: nobody has been let in. */
  readonly entry: FleetEntry | null;
}

/** Answers instead of an IDE: a page for whoever looks at it, a problem for everything else. */
export function answerRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  context: RefusalContext,
): void {
  if (response.destroyed) return;
  if (response.headersSent) return void response.destroy();
  const problem = toProblem(error, 'about:blank');
  const wantsPage = request.headers.accept?.includes('text/html') ?? false;
  const body = wantsPage ? renderPage(pageOf(error, problem, context)) : JSON.stringify(problem);
  for (const name of response.getHeaderNames()) {
    if (name !== 'x-request-id') response.removeHeader(name);
  }
  response.writeHead(problem.status, {
    'Content-Type': wantsPage ? 'text/html; charset=utf-8' : 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Content-Security-Policy': PAGE_POLICY,
    'Cache-Control': 'no-store',
    // With `no-referrer` its form would be of no origin, and be refused for that.
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    Vary: 'Accept',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

type Problem = ReturnType<typeof toProblem>;

function pageOf(error: unknown, problem: Problem, { place, entry }: RefusalContext): Page {
  const { title, detail = 'This is a mistake of ours.', error: code, status } = problem;
  const page = { title, text: detail, code: `${status} ${code}` };
  if (code === 'unauthenticated') {
    const text = 'Its link is good once, and not for long. Open the IDE from the Portal again.';
    return { ...page, title: 'This IDE is not open to you', text };
  }
  if (!entry || !place) return page;
  const button = (label: string, action: Action) => ({
    ...{ label, action: `${place.prefix}${ACTIONS[action]}` },
  });
  if (error instanceof UpstreamError) {
    const text = 'It may still be starting: this page looks again by itself.';
    const more = { text, refreshS: REFRESH_S, button: button('Restart the IDE', 'restart') };
    return { ...page, title: 'The IDE does not answer', ...more };
  }
  return { ...page, ...whenOff(error, entry, button) };
}

/** Of a container that cannot be reached: does it come by itself, or by a button? */
function whenOff(
  error: unknown,
  { state }: FleetEntry,
  button: (label: string, action: Action) => NonNullable<Page['button']>,
): Partial<Page> {
  const { reason, hostStatus } = error instanceof ControlPlaneError ? error.details : {};
  if (reason === 'address_unknown' || hostStatus === 'starting' || hostStatus === 'restarting') {
    return { title: 'The container is starting', refreshS: REFRESH_S };
  }
  if (!allowedActionsOf(state).includes('start')) return {};
  return { button: button('Start the container', 'start') };
}
