import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { BackupRefusal, diskFull, isDiskFull } from './backup-refusal.ts';
import { createPassStep } from './backup-steps.ts';
import { createBackupStore, flushFile, type Meta } from './backup-store.ts';

const run = promisify(execFile);
/** Of GNU tar: a file changed while it was read. A game that runs writes all the time. */
const CHANGED_MEANWHILE = 1;

/**
 * Backups of the game's folder as tar.gz, beside it. What is half made has another name, so that
 * whoever dies in the middle leaves neither half a backup nor half a game.
 */
export function createBackups(root: string) {
  const srv = join(root, 'srv');
  const game = join(srv, 'game');
  const [incoming, outgoing] = [join(srv, 'game.incoming'), join(srv, 'game.outgoing')];
  const store = createBackupStore(join(srv, 'backups'));
  const pass = createPassStep(root);

  async function pack(name: string): Promise<Meta> {
    const known = (await store.list()).find((one) => one.name === name);
    if (known) return known;
    await Promise.all([store.prepare(), mkdir(game, { recursive: true })]);
    const id = `b-${Date.now().toString(36)}-${randomBytes(3).toString('hex')}`;
    const partial = store.partialOf(id);
    try {
      pass('create.begun');
      await run('tar', ['-czf', partial, '-C', game, '.']).catch((error: { code?: unknown }) => {
        if (error.code !== CHANGED_MEANWHILE) throw error;
      });
      await flushFile(partial);
      pass('create.packed');
      const made = await store.describe(id, name, partial);
      await store.write(made);
      pass('create.described');
      await store.place(id);
      pass('create.archived');
      await store.publish(id);
      pass('create.listed');
      return made;
    } finally {
      await store.discard(id);
    }
  }

  /** What is unpacked may be lost with the power of the machine: its archive is not. */
  async function unpack(id: string): Promise<void> {
    await store.check(id, await store.find(id));
    await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { recursive: true });
    try {
      pass('restore.begun');
      await run('tar', ['-xzf', store.archiveOf(id), '-C', incoming]);
      pass('restore.unpacked');
    } catch (error) {
      await rm(incoming, { recursive: true, force: true });
      throw error;
    }
    await replace({ game, incoming, outgoing }, () => pass('restore.moved_out'));
    pass('restore.moved_in');
    await rm(outgoing, { recursive: true, force: true });
    pass('restore.cleared');
  }

  async function remove(id: string): Promise<void> {
    await store.find(id);
    pass('delete.begun');
    await store.unlist(id);
    pass('delete.unlisted');
    await store.remove(id);
    pass('delete.removed');
  }

  return {
    ...createTurns(),
    list: store.list,
    pack,
    unpack,
    remove,
    check: async (id: string) => store.check(id, await store.find(id)),
    /** After a death in the middle: whichever of the two games is whole stays. */
    async recover(): Promise<void> {
      if (!existsSync(game) && existsSync(outgoing)) await rename(outgoing, game);
      await rm(incoming, { recursive: true, force: true });
      await rm(outgoing, { recursive: true, force: true });
      await store.recover();
    },
  };
}

/** The one game by the other. If that fails, what was there before is better than nothing. */
async function replace(
  { game, incoming, outgoing }: Readonly<Record<'game' | 'incoming' | 'outgoing', string>>,
  movedOut: () => void,
): Promise<void> {
  await rm(outgoing, { recursive: true, force: true });
  if (existsSync(game)) await rename(game, outgoing);
  try {
    movedOut();
    await rename(incoming, game);
  } catch (error) {
    if (!existsSync(game) && existsSync(outgoing)) await rename(outgoing, game);
    await rm(incoming, { recursive: true, force: true });
    throw error;
  }
}

export type Backups = ReturnType<typeof createBackups>;

/** One thing at a time: a second one would pack what the first is about to replace. */
function createTurns() {
  let busy: { readonly key: string; readonly work: Promise<unknown> } | null = null;
  return {
    isRestoring: () => busy?.key.startsWith('POST restore') === true,
    /** Whoever asks for it again under the same key is told what becomes of the first. */
    async alone<T>(key: string, work: () => Promise<T>): Promise<T> {
      if (busy?.key === key) return (await busy.work) as T;
      if (busy) throw new BackupRefusal(503, 'busy', 'another backup is being worked on');
      const mine = work().catch((error: unknown) => {
        throw isDiskFull(error) ? diskFull() : error;
      });
      busy = { key, work: mine };
      try {
        return await mine;
      } finally {
        busy = null;
      }
    },
  };
}
