/**
 * The members of a context that a step leaves as they are. By identity: whoever changes a member
 * makes another one of it, and all others are handed on as they are.
 */
export function listUnchanged(before: unknown, after: unknown): readonly string[] {
  const [old, present] = [before, after] as readonly Readonly<Record<string, unknown>>[];
  if (!old || !present) return [];
  return Object.keys(present).filter((name) => present[name] === old[name]);
}
