import { LRUCache } from 'lru-cache';

import type { AgentConsole, LogPage } from '../../clients/agent/console.ts';
import { UnavailableError } from '../../errors.ts';
import { type Chunk, createChunk } from './chunk.ts';
import type { Gap } from './flow.ts';

/** Lines that are asked for together; pages begin at the same places for everybody. */
const PAGE = 200;
/** When a node has died, all its viewers come back at once, and most ask for the same pages. */
const KEPT = 16;

/** What a console said before the ring of this node begins, from the agent's own log. */
export interface Pages {
  /** A chunk that holds the line, or what is missing. Rejects if the agent cannot be asked. */
  find(offset: number): Promise<Chunk | Gap>;
}

export function createPages(options: {
  readonly consoles: Pick<AgentConsole, 'readLog'>;
  /** @throws ControlPlaneError while there is no agent to ask */
  readonly address: () => string;
  readonly epoch: string;
}): Pages {
  const { consoles, address, epoch } = options;
  const kept = new LRUCache<number, Promise<LogPage>>({ max: KEPT });

  function read(from: number): Promise<LogPage> {
    const known = kept.get(from);
    if (known) return known;
    const reading = Promise.resolve()
      .then(() => consoles.readLog(address(), { from, limit: PAGE }))
      .catch((error: unknown) => {
        kept.delete(from);
        throw error;
      });
    kept.set(from, reading);
    return reading;
  }

  async function look(from: number, offset: number): Promise<Chunk | Gap | null> {
    const page = await read(from);
    if (page.epoch !== epoch) throw new UnavailableError('the console has another log by now');
    if (page.offset > offset) return { from: offset, to: page.offset };
    const chunk = createChunk(page.offset, page.lines);
    return offset < chunk.to ? chunk : null;
  }

  return {
    async find(offset) {
      // A page may have been cut short: by its size, or because no more had been said then.
      const start = offset - (offset % PAGE);
      const found = (await look(start, offset)) ?? (await look(offset, offset));
      if (found) return found;
      kept.delete(offset);
      throw new UnavailableError('the agent has not got as far as that');
    },
  };
}
