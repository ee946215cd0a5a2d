import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type Plugin, rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** As deep as src/app, from where the documentation is read. */
const FOLDER = join(ROOT, '.cache/programs');
/** What pg tries and does without. */
const ABSENT = ['pg-native', 'pg-cloudflare'];
/** It looks for its own files beside itself. */
const APART = /^@bull-board\//;

/** Where tests find the programs that they start again and again. */
export interface Programs {
  readonly main: string;
  /** The same with a fault, for crash tests. */
  readonly faulty: string;
  /** Loaded before either. */
  readonly lifeline: string;
  /** What runs in the containers of the stand-in for Proxmox. */
  readonly agent: string;
}

/** The sources, as production and the lab run them. */
export const SOURCES: Programs = {
  main: join(ROOT, 'src/main.ts'),
  faulty: join(ROOT, 'tests/support/crash-node.ts'),
  lifeline: join(ROOT, 'tests/support/crash-lifeline.ts'),
  agent: join(ROOT, 'lab/agent/main.ts'),
};

/** The agent starts them, and looks for them under these names beside itself. */
const GAMES = {
  'game-server': join(ROOT, 'lab/agent/game-server.ts'),
  'minecraft-server': join(ROOT, 'lab/agent/minecraft-server.ts'),
};

/**
 * Whoever imports the names of `node:http` has all of them read, and one of them is a WebSocket,
 * for which Node loads a whole HTTP client of its own. Whoever requires it reads what he uses.
 */
const frugalHttp: Plugin = {
  name: 'frugal-http',
  resolveId: (id) => (/^(node:)?http$/.test(id) ? '\0http' : null),
  load: (id) =>
    id === '\0http' ? "module.exports = process.getBuiltinModule('node:http');" : null,
};

/**
 * The same in one piece: the tests start hundreds of them, and most of the work of a start is to
 * find and to read a thousand modules. Each file is replaced at once, so that another run may
 * start from it meanwhile.
 */
export async function bundlePrograms(): Promise<Programs> {
  await using bundle = await rolldown({
    input: { ...SOURCES, ...GAMES },
    cwd: ROOT,
    platform: 'node',
    external: [...ABSENT, APART],
    plugins: [frugalHttp],
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
  const built = (name: keyof Programs) => join(FOLDER, `${name}.mjs`);
  return {
    main: built('main'),
    faulty: built('faulty'),
    lifeline: built('lifeline'),
    agent: built('agent'),
  };
}
