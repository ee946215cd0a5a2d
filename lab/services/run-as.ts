/**
 * PostgreSQL refuses to run as root. As root we therefore become somebody else. Nothing is added
 * to the system: no user is created.
 */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { run } from './commands.ts';

export interface RunAs {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user a service below `dataDir` runs as: null (ourselves) unless we are root; as root the
 * owner of the folder, so that `sudo` in somebody's project stays within it, else `nobody`.
 */
export async function chooseRunAs(dataDir: string): Promise<RunAs | null> {
  if (process.getuid?.() !== 0) return null;
  const owner = (await stat(await nearestExisting(dataDir))).uid;
  const candidates = owner === 0 ? ['nobody', 'postgres'] : [String(owner), 'nobody', 'postgres'];
  for (const candidate of candidates) {
    const found = await lookUp(candidate);
    if (found) return found;
  }
  throw new Error('PostgreSQL refuses to run as root, and there is no user "nobody" to run it as');
}

async function lookUp(user: string): Promise<RunAs | null> {
  try {
    const ask = async (flag: string) => (await run('id', [flag, user])).trim();
    // initdb insists on a name, which a bare number of a bind mount's owner does not have.
    const name = await ask('-nu');
    if (/^\d+$/.test(name)) return null;
    return { name, uid: Number(await ask('-u')) >>> 0, gid: Number(await ask('-g')) >>> 0 };
  } catch {
    return null;
  }
}

async function nearestExisting(path: string): Promise<string> {
  const full = resolve(path);
  const there = await stat(full).catch(() => null);
  return there ? full : nearestExisting(dirname(full));
}

/** Can that user read these paths? Asked by trying, since ACLs and mounts have their say too. */
export async function canReach(runAs: RunAs, ...paths: string[]): Promise<boolean> {
  const script = 'for path; do test -r "$path" || test -x "$path" || exit 1; done';
  return run('/bin/sh', ['-c', script, 'sh', ...paths], { runAs }).then(
    () => true,
    () => false,
  );
}
