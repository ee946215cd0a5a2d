/**
 * Everything a service needs must lie where the user it runs as can reach it, which a folder below
 * root's home (0700) is not.
 */
import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';

import { canReach, type RunAs } from './run-as.ts';

/**
 * A folder of ours below the machine's temporary folder that everybody may pass through. `/var/tmp`
 * comes first because it survives a restart of the machine.
 * @throws Error if somebody else has put something there.
 */
export async function sharedFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const hasVarTmp = await stat('/var/tmp').catch(() => null);
  const path = join(hasVarTmp ? '/var/tmp' : tmpdir(), `zpack-lab-${uid}`);
  await mkdir(path, { recursive: true });
  const found = await lstat(path);
  if (!found.isDirectory() || (process.getuid && found.uid !== uid))
    throw new Error(`${path} belongs to somebody else: remove it, then start the lab again`);
  await chmod(path, 0o711);
  return path;
}

/**
 * The folder `<dataDir>/<name>`, made if absent and owned by `runAs`. Where that user cannot reach
 * it, it is a link to a folder below {@link sharedFolder}, which lives as long as the link.
 */
export async function placeFolder(
  { dataDir, name, runAs }: { dataDir: string; name: string; runAs: RunAs | null },
  log: (line: string) => void,
): Promise<string> {
  await mkdir(dataDir, { recursive: true });
  const path = join(await realpath(dataDir), name);
  if (!runAs) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return path;
  }
  await letThrough(dirname(path), runAs);
  if (await canReach(runAs, dirname(path))) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await own(path, runAs);
    return path;
  }
  return relocate(path, runAs, log);
}

/**
 * A private folder of our own is opened for passing through, and only for that user's group: the
 * data folder itself, and above it what lies below the machine's temporary folder.
 */
async function letThrough(folder: string, runAs: RunAs): Promise<void> {
  const parent = dirname(folder);
  const isTemporary = parent.startsWith(`${await realpath(tmpdir())}${sep}`);
  if (isTemporary) await letThrough(parent, runAs);
  const { mode, uid } = await stat(folder);
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0) return;
  if (!(await canReach(runAs, parent))) return;
  await chown(folder, uid, runAs.gid);
  await chmod(folder, (mode & 0o777) | 0o010);
}

async function relocate(path: string, runAs: RunAs, log: (line: string) => void): Promise<string> {
  const shared = await sharedFolder();
  const target = join(shared, createHash('sha256').update(path).digest('hex').slice(0, 16));
  const found = await lstat(path).catch(() => null);
  if (found && !found.isSymbolicLink())
    throw new Error(`user ${runAs.name} cannot reach ${path}: move it out of the private folder`);
  if (!found || (await readlink(path)) !== target) {
    // The data folder this one belonged to has been deleted, and its data with it.
    await rm(target, { recursive: true, force: true });
    await rm(path, { force: true });
    await symlink(target, path);
  }
  await writeFile(`${target}${RECORD}`, path);
  await sweep(shared);
  await mkdir(target, { recursive: true, mode: 0o700 });
  await own(target, runAs);
  log(`${path} is kept in ${target}, because user ${runAs.name} cannot reach the former`);
  return target;
}

/** Beside each relocated folder, the path of the link it lives for. */
const RECORD = '.link';

/** Removes the relocated folders whose link is gone: somebody deleted the data folder it was in. */
async function sweep(shared: string): Promise<void> {
  for (const name of await readdir(shared)) {
    if (!name.endsWith(RECORD)) continue;
    const target = join(shared, name.slice(0, -RECORD.length));
    const link = await readFile(join(shared, name), 'utf8').catch(() => '');
    if ((await readlink(link).catch(() => null)) === target) continue;
    await rm(target, { recursive: true, force: true });
    await rm(join(shared, name), { force: true });
  }
}

async function own(path: string, runAs: RunAs): Promise<void> {
  if ((await lstat(path)).uid === runAs.uid) return;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true }))
    if (!entry.isSymbolicLink())
      await chown(join(entry.parentPath, entry.name), runAs.uid, runAs.gid);
  await chown(path, runAs.uid, runAs.gid);
}
