import type { JournalEntry } from '../view/journal.ts';
import type { EventClient, Scope } from './event-client.ts';

/** Clients who have caught up, in groups that see the same. */
export interface Audience {
  isEmpty(): boolean;
  join(client: EventClient): void;
  leave(client: EventClient): void;
  /** To each of these entries all who may see it: one write a client, the same bytes a group. */
  tell(entries: readonly JournalEntry[], textOf: (entry: JournalEntry) => string): void;
  tellAll(text: string): void;
}

export const sees = ({ customerId, vmid }: Scope, entry: JournalEntry): boolean =>
  (customerId === null || customerId === entry.customerId) &&
  (vmid === null || vmid === entry.vmid);

export const keyOf = ({ customerId, vmid }: Scope) => `${vmid ?? '*'} ${customerId ?? '*'}`;

/** Every scope that sees an entry: cheaper than to ask each of a thousand groups. */
function keysOf({ customerId, vmid }: JournalEntry): readonly string[] {
  const everybody = [keyOf({ customerId: null, vmid: null }), keyOf({ customerId: null, vmid })];
  if (customerId === null) return everybody;
  return [...everybody, keyOf({ customerId, vmid: null }), keyOf({ customerId, vmid })];
}

export function createAudience(): Audience {
  const groups = new Map<string, Set<EventClient>>();
  return {
    isEmpty: () => groups.size === 0,
    join(client) {
      const key = keyOf(client.scope);
      const group = groups.get(key) ?? new Set();
      groups.set(key, group.add(client));
    },
    leave(client) {
      const key = keyOf(client.scope);
      const group = groups.get(key);
      group?.delete(client);
      if (group?.size === 0) groups.delete(key);
    },
    tell(entries, textOf) {
      const chunks = new Map<Set<EventClient>, string[]>();
      for (const entry of entries) {
        for (const group of keysOf(entry).flatMap((key) => groups.get(key) ?? [])) {
          const texts = chunks.get(group) ?? [];
          texts.push(textOf(entry));
          chunks.set(group, texts);
        }
      }
      for (const [group, texts] of chunks) {
        const chunk = Buffer.from(texts.join(''));
        for (const client of group) client.write(chunk);
      }
    },
    tellAll(text) {
      for (const group of groups.values()) for (const client of group) client.write(text);
    },
  };
}
