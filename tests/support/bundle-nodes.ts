import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** As deep as src/app, from where the documentation is read. */
const FOLDER = join(ROOT, '.cache/nodes');
/** What pg tries and does without. */
const ABSENT = ['pg-native', 'pg-cloudflare'];
/** It looks for its own files beside itself. */
const APART = /^@bull-board\//;

/** Where crash tests find the nodes that they start. */
export interface NodeFiles {
  readonly main: string;
  readonly faulty: string;
  /** Loaded before either. */
  readonly lifeline: string;
}

/** The sources, as production runs them. */
export const SOURCES: NodeFiles = {
  main: join(ROOT, 'src/main.ts'),
  faulty: join(ROOT, 'tests/support/crash-node.ts'),
  lifeline: join(ROOT, 'tests/support/crash-lifeline.ts'),
};

/**
 * The same in one piece: a crash test starts dozens of nodes, and most of the work of a start is
 * to find and to read a thousand modules. Each file is replaced at once, so that another run may
 * start from it meanwhile.
 */
export async function bundleNodes(): Promise<NodeFiles> {
  await using bundle = await rolldown({
    input: { ...SOURCES },
    cwd: ROOT,
    platform: 'node',
    external: [...ABSENT, APART],
    logLevel: 'warn',
  });
  const { output } = await bundle.generate({
    entryFileNames: '[name].mjs',
    chunkFileNames: 'shared-[name].mjs',
  });
  await mkdir(FOLDER, { recursive: true });
  for (const part of output.toReversed()) {
    const file = join(FOLDER, part.fileName);
    await writeFile(`${file}.${process.pid}`, part.type === 'chunk' ? part.code : part.source);
    await rename(`${file}.${process.pid}`, file);
  }
  const built = (name: keyof NodeFiles) => join(FOLDER, `${name}.mjs`);
  return { main: built('main'), faulty: built('faulty'), lifeline: built('lifeline') };
}
