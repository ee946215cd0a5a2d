import { z } from 'zod';

import type { Fleet } from '../view/fleet.ts';
import type { JournalEntry } from '../view/journal.ts';
import { toCheckedJson } from './json.ts';
import type { ServerTexts } from './server-texts.ts';
import { serverView } from './server-view.ts';

const snapshotView = z.object({ servers: z.array(serverView) }).meta({ id: 'ServersSnapshot' });

const changeView = z
  .object({
    seq: z.number().int().describe('Its place in the journal, as the id of the event'),
    id: z.string().describe('The VMID, as a string'),
    revision: z.number().int().describe('How many steps the instance had made then'),
    at: z.iso.datetime(),
    type: z.string().describe('What happened'),
    regions: z.unknown().describe('The state of each region then'),
    server: serverView.nullable().describe('The server as it is now; null: it is deleted'),
  })
  .meta({ id: 'ServerChange' });

/** For the documentation: the data of the events, each as one line of JSON. */
export const eventData = z.union([snapshotView, changeView]);

const journalPart = changeView.omit({ server: true });

export interface EventTexts {
  /** The event of a journal entry, made once for everybody who may see it. */
  change(entry: JournalEntry): string;
}

export function createEventTexts({
  fleet,
  texts,
}: {
  readonly fleet: Fleet;
  readonly texts: ServerTexts;
}): EventTexts {
  const known = new WeakMap<JournalEntry, string>();

  function render({ seq, id, vmid, version, at, type, regions }: JournalEntry): string {
    const part = toCheckedJson(journalPart, {
      seq,
      id: String(vmid),
      revision: version,
      at: at.toISOString(),
      type,
      regions,
    });
    const entry = fleet.get(vmid);
    // Another instance may have got its VMID since.
    const server = entry?.id === id ? texts.server(entry) : 'null';
    return `id: ${seq}\nevent: change\ndata: ${part.slice(0, -1)},"server":${server}}\n\n`;
  }

  return {
    change(entry) {
      const text = known.get(entry) ?? render(entry);
      known.set(entry, text);
      return text;
    },
  };
}
