import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { z } from 'zod';

import { readFaults } from './faults.ts';

const run = promisify(execFile);

const meta = z.object({
  id: z.string(),
  name: z.string(),
  sizeBytes: z.number(),
  createdAt: z.string(),
  sha256: z.string(),
});
type Meta = z.output<typeof meta>;

/** What becomes of a wish about backups; `status` is that of the answer. */
export class BackupRefusal extends Error {
  override readonly name = 'BackupRefusal';
  readonly status: number;

  constructor(status: number, code: string) {
    super(code);
    this.status = status;
  }
}

const ID = /^[\w-]{1,64}$/;

/**
 * Backups of the game's folder as tar.gz, beside it. What is half made has another name, so that
 * whoever dies in the middle leaves neither half a backup nor half a game.
 */
export function createBackups(root: string) {
  const srv = join(root, 'srv');
  const game = join(srv, 'game');
  const folder = join(srv, 'backups');
  const [incoming, outgoing] = [join(srv, 'game.incoming'), join(srv, 'game.outgoing')];
  const archiveOf = (id: string) => join(folder, `${id}.tar.gz`);
  const metaOf = (id: string) => join(folder, `${id}.json`);
  let isBusy = false;

  /** One thing at a time: a second one would pack what the first is about to replace. */
  async function alone<T>(work: () => Promise<T>): Promise<T> {
    if (isBusy) throw new BackupRefusal(503, 'busy');
    isBusy = true;
    try {
      return await work();
    } finally {
      isBusy = false;
    }
  }

  function list(): Meta[] {
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => meta.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  function find(id: string): Meta {
    const found = ID.test(id) && list().find((one) => one.id === id);
    if (!found) throw new BackupRefusal(404, 'backup_not_found');
    return found;
  }

  async function create(name: string): Promise<Meta> {
    if (readFaults(root).diskFull) throw new BackupRefusal(507, 'disk_full');
    await mkdir(folder, { recursive: true });
    await mkdir(game, { recursive: true });
    const id = `b-${Date.now().toString(36)}-${randomBytes(3).toString('hex')}`;
    const partial = join(folder, `${id}.partial`);
    try {
      await run('tar', ['-czf', partial, '-C', game, '.']);
      const made: Meta = {
        ...{ id, name, createdAt: new Date().toISOString() },
        sizeBytes: (await stat(partial)).size,
        sha256: await digest(partial),
      };
      await writeFile(`${metaOf(id)}.tmp`, JSON.stringify(made));
      await rename(partial, archiveOf(id));
      await rename(`${metaOf(id)}.tmp`, metaOf(id));
      return made;
    } finally {
      await rm(partial, { force: true });
    }
  }

  async function check(id: string): Promise<void> {
    const { sha256 } = find(id);
    if ((await digest(archiveOf(id))) !== sha256) throw new BackupRefusal(422, 'checksum_mismatch');
  }

  async function restore(id: string): Promise<void> {
    await check(id);
    if (readFaults(root).diskFull) throw new BackupRefusal(507, 'disk_full');
    await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { recursive: true });
    await run('tar', ['-xzf', archiveOf(id), '-C', incoming]);
    await rm(outgoing, { recursive: true, force: true });
    if (existsSync(game)) await rename(game, outgoing);
    await rename(incoming, game);
    await rm(outgoing, { recursive: true, force: true });
  }

  /** After a death in the middle: whichever of the two games is whole stays. */
  async function recover(): Promise<void> {
    if (!existsSync(game) && existsSync(outgoing)) await rename(outgoing, game);
    await rm(incoming, { recursive: true, force: true });
    await rm(outgoing, { recursive: true, force: true });
    if (!existsSync(folder)) return;
    const ids = new Set(readdirSync(folder).map((name) => name.split('.', 1)[0] ?? ''));
    for (const id of ids) {
      const isMade = existsSync(archiveOf(id)) && existsSync(`${metaOf(id)}.tmp`);
      // Only its last step was missing: an archive that is whole is never thrown away.
      if (isMade) await rename(`${metaOf(id)}.tmp`, metaOf(id));
      await rm(`${metaOf(id)}.tmp`, { force: true });
      await rm(join(folder, `${id}.partial`), { force: true });
      // Its deletion had begun.
      if (!existsSync(metaOf(id))) await rm(archiveOf(id), { force: true });
    }
  }

  mkdirSync(srv, { recursive: true });
  return {
    list,
    recover,
    /** Ordered twice by the same name, it is made once. */
    create: (name: string) =>
      alone(async () => list().find((one) => one.name === name) ?? (await create(name))),
    verify: (id: string) => alone(() => check(id)),
    restore: (id: string) => alone(() => restore(id)),
    async remove(id: string): Promise<void> {
      find(id);
      // The archive goes last: what is listed is there.
      await rm(metaOf(id));
      await rm(archiveOf(id), { force: true });
    },
  };
}

export type Backups = ReturnType<typeof createBackups>;

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
