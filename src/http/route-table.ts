import type { Request, RequestHandler, Response } from 'express';

export type Answer = (request: Request, response: Response) => Promise<void>;

interface Row {
  readonly route: { readonly path: string };
  /** null: a parameter, which anything fits. */
  readonly literals: readonly (string | null)[];
  readonly names: readonly (readonly [name: string, place: number])[];
  readonly answer: Answer;
}

const PLAIN_PATTERN = /^(?:\/(?:[a-z\d._~-]+|:\w+))+$/;
const PLAIN_PATH = /^(?:\/[a-z\d._~-]+)+$/;

/**
 * Finds a route by method and number of segments, where Express tries the expression of one route
 * after the other. It knows only what is written plainly: all else (capitals, escapes, a slash at
 * the end, HEAD, OPTIONS) it passes on, to an Express router of the same routes in the same order.
 * So a pattern that it does not understand, as one with a wildcard, comes after all that it does.
 */
export function createRouteTable() {
  /** By method, and then by number of segments. */
  const rows = new Map<string, Row[][]>();
  return {
    add(method: string, path: string, answer: Answer): void {
      if (!PLAIN_PATTERN.test(path)) return;
      const parts = segmentsOf(path);
      const row: Row = {
        route: { path },
        literals: parts.map((part) => (part.startsWith(':') ? null : part)),
        names: parts.flatMap((part, place) =>
          part.startsWith(':') ? [[part.slice(1), place] as const] : [],
        ),
        answer,
      };
      const ofMethod = rows.get(method.toUpperCase()) ?? [];
      ofMethod[parts.length] = [...(ofMethod[parts.length] ?? []), row];
      rows.set(method.toUpperCase(), ofMethod);
    },
    dispatch: ((request, response, next) => {
      const { url } = request;
      const end = url.indexOf('?');
      const path = end < 0 ? url : url.slice(0, end);
      if (!PLAIN_PATH.test(path)) return next();
      const parts = segmentsOf(path);
      const row = rows
        .get(request.method)
        ?.[parts.length]?.find(({ literals }) => fits(literals, parts));
      if (!row) return next();
      const params: Record<string, string> = {};
      for (const [name, place] of row.names) params[name] = parts[place] ?? '';
      request.params = params;
      request.route = row.route;
      row.answer(request, response).catch(next);
    }) satisfies RequestHandler,
  };
}

/** What `split` answers, which costs a call into the runtime of V8 for every new path. */
function segmentsOf(path: string): string[] {
  const segments: string[] = [];
  let from = 1;
  for (let to = path.indexOf('/', from); to >= 0; to = path.indexOf('/', from)) {
    segments.push(path.slice(from, to));
    from = to + 1;
  }
  segments.push(path.slice(from));
  return segments;
}

function fits(literals: readonly (string | null)[], parts: readonly string[]): boolean {
  // From the end, where the paths of one resource differ.
  for (let place = literals.length - 1; place >= 0; place -= 1) {
    const literal = literals[place];
    if (literal !== null && literal !== parts[place]) return false;
  }
  return true;
}
