/**
 * The members of a context that a step leaves as they are. By identity: whoever changes a member
 * makes another one of it, and all others are handed on as they are.
 */
export function listUnchanged<Context extends object>(before: Context, after: Context): string[] {
  const names = Object.keys(after) as (keyof Context & string)[];
  return names.filter((name) => after[name] === before[name]);
}
