import { lstat, mkdir, rename, rm, rmdir, unlink } from 'node:fs/promises';

import type { Places } from './places.ts';
import { FileRefusal } from './refusal.ts';

/**
 * Changes of names come one by one, so that a condition that was looked at still holds. What would
 * be replaced by a restoration at once is not taken.
 */
export function createTurns(isRestoring: () => boolean) {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(act: () => Promise<T>): Promise<T> => {
    const mine = last.then(() => {
      if (!isRestoring()) return act();
      throw new FileRefusal('maintenance_in_progress', 'a backup is being restored');
    });
    last = mine.catch(() => undefined);
    return mine;
  };
}

export async function makeFolder(places: Places, path: string): Promise<void> {
  await mkdir(await places.locate(requireNamed(path)));
}

export async function renameEntry(
  places: Places,
  { from, to, overwrite }: { from: string; to: string; overwrite: boolean },
): Promise<void> {
  const [source, target] = [
    await places.locate(requireNamed(from)),
    await places.locate(requireNamed(to)),
  ];
  await lstat(source);
  const there = await lstat(target).catch(() => null);
  if (there && !overwrite) throw new FileRefusal('exists', 'there is something of that name');
  await rename(source, target);
}

/** A link is removed, and not what it leads to. */
export async function removeEntry(
  places: Places,
  { path, recursive }: { path: string; recursive: boolean },
): Promise<void> {
  const place = await places.locate(requireNamed(path));
  const found = await lstat(place);
  if (!found.isDirectory()) await unlink(place);
  else if (recursive) await rm(place, { recursive: true });
  else await rmdir(place);
}

function requireNamed(path: string): string {
  if (path !== '') return path;
  throw new FileRefusal('path_refused', 'the root itself stays as it is');
}
