import type { BigIntStats } from 'node:fs';
import { lstat, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { FileRefusal } from './refusal.ts';

export interface Entry {
  readonly name: string;
  readonly type: 'file' | 'folder' | 'link' | 'other';
  readonly size: number;
  readonly modifiedAt: string;
  readonly etag: string;
}

/** Strong: whatever replaces a file has another number, and whatever writes into it another time. */
export const etagOf = ({ ino, size, mtimeNs }: BigIntStats): string =>
  `"${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}"`;

export function describe(name: string, found: BigIntStats): Entry {
  return {
    name,
    type: typeOf(found),
    size: Number(found.size),
    modifiedAt: new Date(Number(found.mtimeMs)).toISOString(),
    etag: etagOf(found),
  };
}

function typeOf(found: BigIntStats): Entry['type'] {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'folder';
  return found.isSymbolicLink() ? 'link' : 'other';
}

/** A page of a folder, by name. */
export async function listFolder(
  folder: string,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<{ readonly entries: readonly Entry[]; readonly next: string | null }> {
  const names = (await readdir(folder)).filter((name) => name > after).sort();
  const page = names.slice(0, limit);
  const entries: Entry[] = [];
  for (const name of page) {
    // It may have gone since.
    const found = await lstat(join(folder, name), { bigint: true }).catch(() => null);
    if (found) entries.push(describe(name, found));
  }
  return { entries, next: names.length > limit ? (page.at(-1) ?? null) : null };
}

export interface Conditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** Looked at before a body is read, and once more when it takes its place. */
export async function requireConditions(
  place: string,
  { ifMatch, ifNoneMatch }: Conditions,
): Promise<void> {
  const found = await stat(place, { bigint: true }).catch(() => null);
  if (found?.isDirectory()) throw new FileRefusal('is_folder', 'it is a folder');
  const etag = found && etagOf(found);
  const matches = (wanted: string) =>
    etag !== null &&
    (wanted.trim() === '*' || wanted.split(',').some((one) => one.trim() === etag));
  const isMet =
    (ifMatch === undefined || matches(ifMatch)) &&
    (ifNoneMatch === undefined || !matches(ifNoneMatch));
  if (!isMet) throw new FileRefusal('precondition_failed', 'it is another one', { etag });
}

/** So that a rename outlives the loss of power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
