import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';

import { BackupRefusal } from './backup-refusal.ts';

const meta = z.object({
  id: z.string(),
  name: z.string(),
  sizeBytes: z.number(),
  createdAt: z.string(),
  sha256: z.string(),
});
export type Meta = z.output<typeof meta>;

const ID = /^[\w-]{1,64}$/;
const [ARCHIVE, LISTED, DESCRIBED, DELETED, PARTIAL] = [
  ...['.tar.gz', '.json', '.json.tmp', '.deleted', '.partial'],
] as const;

/**
 * The folder of the backups. One is there when its description is: the archive takes its place
 * before that, and goes after it, so what is listed is whole.
 */
export function createBackupStore(folder: string) {
  const at = (id: string, ending: string | undefined) => join(folder, `${id}${ending}`);

  async function list(): Promise<Meta[]> {
    if (!existsSync(folder)) return [];
    const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    return texts
      .map((text) => meta.parse(JSON.parse(text)))
      .sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  }

  async function describe(id: string, name: string, archive: string): Promise<Meta> {
    const { size, mtime } = await stat(archive);
    const made = { id, name, sizeBytes: size, createdAt: mtime.toISOString() };
    return { ...made, sha256: await digest(archive) };
  }

  async function write(made: Meta): Promise<void> {
    await writeFile(at(made.id, DESCRIBED), JSON.stringify(made), { flush: true });
  }

  async function publish(id: string): Promise<void> {
    await rename(at(id, DESCRIBED), at(id, LISTED));
    await flushFolder(folder);
  }

  /** After a death in the middle: what was whole stays, and what was half made or deleted goes. */
  async function recover(): Promise<void> {
    if (!existsSync(folder)) return;
    const ids = new Set((await readdir(folder)).map((name) => name.split('.', 1)[0] ?? ''));
    for (const id of ids) {
      await rm(at(id, PARTIAL), { force: true });
      if (existsSync(at(id, DELETED))) {
        await rm(at(id, ARCHIVE), { force: true });
        await rm(at(id, DELETED), { force: true });
      } else if (existsSync(at(id, ARCHIVE)) && !existsSync(at(id, LISTED))) {
        // An archive in its place is whole: it is listed, whatever has become of its description.
        if (!existsSync(at(id, DESCRIBED))) await write(await describe(id, id, at(id, ARCHIVE)));
        await publish(id);
      }
      await rm(at(id, DESCRIBED), { force: true });
    }
  }

  return {
    list,
    recover,
    describe,
    write,
    publish,
    prepare: () => mkdir(folder, { recursive: true }),
    partialOf: (id: string) => at(id, PARTIAL),
    archiveOf: (id: string) => at(id, ARCHIVE),
    async find(id: string): Promise<Meta> {
      const found = ID.test(id) && (await list()).find((one) => one.id === id);
      if (!found) throw new BackupRefusal(404, 'backup_not_found', `there is no backup ${id}`);
      return found;
    },
    /** It takes its place whole and flushed, or not at all. */
    async place(id: string): Promise<void> {
      await rename(at(id, PARTIAL), at(id, ARCHIVE));
      await flushFolder(folder);
    },
    async unlist(id: string): Promise<void> {
      await rename(at(id, LISTED), at(id, DELETED));
      await flushFolder(folder);
    },
    async remove(id: string): Promise<void> {
      await rm(at(id, ARCHIVE), { force: true });
      await rm(at(id, DELETED), { force: true });
    },
    async check(id: string, { sha256 }: Meta): Promise<void> {
      const found = existsSync(at(id, ARCHIVE)) ? await digest(at(id, ARCHIVE)) : 'nothing';
      if (found === sha256) return;
      throw new BackupRefusal(422, 'checksum_mismatch', `its SHA-256 is ${found}, not ${sha256}`);
    },
    async discard(id: string): Promise<void> {
      await rm(at(id, PARTIAL), { force: true });
      if (!existsSync(at(id, ARCHIVE))) await rm(at(id, DESCRIBED), { force: true });
    },
  };
}

export async function flushFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What was renamed in it stays renamed, also when the power fails. */
const flushFolder = flushFile;

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
