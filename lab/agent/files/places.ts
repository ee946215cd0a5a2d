import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink, realpath } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';

import { FileRefusal } from './refusal.ts';

const PATH_MAX = 1_024;
const NAME_BYTES_MAX = 255;
/** What would mean something else if anybody decoded it once more, however often it is encoded. */
const ENCODED = /%(?:25)*(?:2e|2f|5c|00)/i;

/** A path as it is asked for: relative, by slashes, and plain. The empty one is the root. */
export function readPath(text: string): readonly string[] {
  if (text === '') return [];
  const names = text.split('/');
  const isRefused =
    text.length > PATH_MAX ||
    !text.isWellFormed() ||
    /[\p{Cc}\\]/u.test(text) ||
    ENCODED.test(text) ||
    names.some((name) => ['', '.', '..'].includes(name) || isTooLong(name));
  if (isRefused) throw outside(text);
  return names;
}

const isTooLong = (name: string) => Buffer.byteLength(name) > NAME_BYTES_MAX;

const outside = (path: string) =>
  new FileRefusal('path_refused', `the path leads out of the server, or is not plain: ${path}`);

export interface OpenFile {
  readonly handle: FileHandle;
  readonly name: string;
}

/** Places below one folder, and nowhere else. */
export interface Places {
  /** The entry itself: a link is not followed. It need not be there, but its folder must. */
  locate(path: string): Promise<string>;
  /** Where it leads if it is a link, which must be inside. */
  follow(path: string): Promise<string>;
  /** A plain file for reading. */
  openFile(path: string): Promise<OpenFile>;
}

/**
 * The folder of an entry is resolved and must lie inside; the entry is opened without following
 * it, and looked at once more by its descriptor, so what is read is inside whatever changes
 * meanwhile. A race remains for what changes names (rename, delete, the end of an upload): code
 * inside the container may swap a folder for a link between the look and the call, as Node knows
 * no `openat`. It gains little: whoever can do that writes in that container anyway.
 */
export function createPlaces(folder: string): Places {
  let resolved: Promise<string> | undefined;
  async function root(): Promise<string> {
    await mkdir(folder, { recursive: true });
    resolved ??= realpath(folder);
    return await resolved;
  }

  async function requireInside(real: string, path: string): Promise<string> {
    const inside = await root();
    if (real === inside || real.startsWith(inside + sep)) return real;
    throw outside(path);
  }

  async function locate(path: string): Promise<string> {
    const names = readPath(path);
    const last = names.at(-1);
    if (last === undefined) return await root();
    const parent = await realpath(join(await root(), ...names.slice(0, -1)));
    return join(await requireInside(parent, path), last);
  }

  async function follow(path: string): Promise<string> {
    const place = await locate(path);
    const found = await lstat(place).catch(() => null);
    if (!found?.isSymbolicLink()) return place;
    const real = await realpath(place).catch(() => {
      throw outside(path);
    });
    return await requireInside(real, path);
  }

  return {
    locate,
    follow,
    async openFile(path) {
      // Not to wait for whoever writes into a pipe.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const handle = await open(await follow(path), flags);
      try {
        await requireInside(await readlink(`/proc/self/fd/${handle.fd}`), path);
        requireFile(await handle.stat());
        return { handle, name: basename(path) };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
  };
}

export function requireFile(found: Stats): void {
  if (found.isDirectory()) throw new FileRefusal('is_folder', 'it is a folder');
  if (!found.isFile()) throw new FileRefusal('not_a_file', 'it is no plain file');
}
