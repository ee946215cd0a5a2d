import { chmod, mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isAlive } from '../../lab/services/postgres-cluster.ts';

const MEMORY = '/dev/shm';
/** Many times what a run needs of it. */
const MEMORY_BYTES_MIN = 2 * 1024 ** 3;
const OURS = /^zpack-tests-(\d+)-/;

/**
 * Where the services of one run of the suite keep what they have, in memory if there is room: each
 * database is hundreds of files, and the file system of a disk that has just removed as many may
 * look for long before it makes new ones.
 */
export async function createRunFolder(): Promise<string> {
  const { bavail, bsize } = await statfs(MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  const isRoomy = bavail * bsize >= MEMORY_BYTES_MIN;
  if (isRoomy) await sweep();
  const folder = await mkdtemp(join(isRoomy ? MEMORY : tmpdir(), `zpack-tests-${process.pid}-`));
  // PostgreSQL refuses to run as root, and whom it runs as then must reach its data.
  if (isRoomy) await chmod(folder, 0o711);
  return folder;
}

/** What a run that was killed has left would take memory until the machine starts again. */
async function sweep(): Promise<void> {
  for (const name of await readdir(MEMORY)) {
    const pid = OURS.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) await rm(join(MEMORY, name), { recursive: true });
  }
}
