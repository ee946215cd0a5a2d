/**
 * Redis out of Debian's or Ubuntu's package, unpacked into a cache folder and not installed: the
 * system stays as it is, and nothing has to be root.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { findOnPath, run } from './commands.ts';

const PACKAGES = ['redis-server', 'redis-tools'];

export interface RedisBinary {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The unpacked Redis, downloaded if `cacheDir` does not hold it yet.
 * @throws Error if this system has no such package or the download does not come through.
 */
export async function unpackRedis(
  cacheDir: string,
  log: (line: string) => void,
): Promise<RedisBinary> {
  const root = join(cacheDir, `redis-${process.arch}`);
  const cached = await checked(root).catch(() => null);
  if (cached) return cached;
  await requireDebian();
  await rm(root, { recursive: true, force: true });
  log(`downloading the distribution's Redis package to ${root}`);
  await mkdir(cacheDir, { recursive: true });
  const draft = await mkdtemp(`${root}.`);
  try {
    await download(draft, log);
    await checked(draft);
    // Whoever renames first wins; the others use what is there.
    await rename(draft, root).catch(() => {});
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return checked(root);
}

async function requireDebian(): Promise<void> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  if (!/^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release))
    throw new Error('not a Debian or Ubuntu system');
  for (const command of ['apt-get', 'apt-cache', 'dpkg'])
    if (!(await findOnPath(command))) throw new Error(`${command} is missing`);
}

async function download(folder: string, log: (line: string) => void): Promise<void> {
  if (!(await isKnown()) && process.getuid?.() === 0) {
    log('apt-get update, because the package lists are empty');
    await run('apt-get', ['update', '-qq']);
  }
  if (!(await isKnown()))
    throw new Error('the package lists do not know redis-server: run "sudo apt-get update" once');
  const packages = [...PACKAGES, ...(await missingDependencies())];
  // The sandbox user of apt cannot write to a private folder; ours need not be reachable for it.
  const options = ['-qq', '-o', 'APT::Sandbox::User='];
  await run('apt-get', ['download', ...options, ...packages], { cwd: folder });
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.deb')) continue;
    await run('dpkg', ['-x', join(folder, file), folder]);
    await rm(join(folder, file));
  }
}

async function isKnown(): Promise<boolean> {
  const output = await run('apt-cache', ['show', '--no-all-versions', PACKAGES[0] ?? '']).catch(
    () => '',
  );
  return output.includes('Filename:');
}

/** Which libraries Redis needs differs by release; what is installed need not be fetched. */
async function missingDependencies(): Promise<string[]> {
  const depends = await run('apt-cache', ['depends', '--important', ...PACKAGES]);
  const names = [...depends.matchAll(/^ +(?:Pre)?Depends: ([a-z0-9][^\s:<>]*)/gm)];
  const selections = await run('dpkg', ['--get-selections']);
  const installed = [...selections.matchAll(/^([^\s:]+)(?::\S+)?\s+install$/gm)];
  const here = new Set([...PACKAGES, ...installed.map(([, name]) => name)]);
  return [...new Set(names.map(([, name = '']) => name))].filter((name) => !here.has(name));
}

/** Runs it once: a cache from before a system upgrade may lack libraries. */
async function checked(root: string): Promise<RedisBinary> {
  const libraries: string[] = [];
  for (const base of ['usr/lib', 'lib']) {
    const folder = join(root, base);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    libraries.push(...entries.filter((e) => e.isDirectory()).map((e) => join(folder, e.name)));
  }
  const command = join(root, 'usr/bin/redis-server');
  await stat(command);
  const env = { LD_LIBRARY_PATH: libraries.join(':') };
  await run(command, ['--version'], { env });
  return { command, env };
}
