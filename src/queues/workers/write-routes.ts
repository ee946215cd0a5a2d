import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';

import { describeRoutes } from '../../clients/traefik/routes.ts';
import { routeOf } from '../../machines/instance/route.ts';
import type { EdgeTargets } from '../../storage/edge-targets.ts';
import type { RouterSights } from '../../storage/router-sights.ts';

/**
 * Writes the routes to a file for a Traefik that cannot ask us. It is written whole or not at all,
 * and only if it differs: Traefik reloads whatever it sees written. That Traefik has read it we
 * cannot know; what counts as given is what the file says.
 */
export function createRouteFile(options: {
  readonly file: string;
  readonly targets: Pick<EdgeTargets, 'listPublished'>;
  readonly sights: Pick<RouterSights, 'save'>;
  /** The latest entry of the journal. */
  readonly head: () => Promise<number>;
  readonly now: () => number;
}) {
  const { file, targets, sights, head, now } = options;
  return async (): Promise<void> => {
    // Before the rows: they are at least as new.
    const seq = await head();
    const routes = (await targets.listPublished()).map(routeOf);
    const text = JSON.stringify(describeRoutes(routes.filter((route) => route !== null)));
    if ((await readFile(file, 'utf8').catch(() => null)) !== text) await replace(file, text);
    await sights.save({ seq, at: now() });
  };
}

/** Beside the file, since a rename is atomic only within one file system. */
async function replace(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, text, { flush: true });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}
