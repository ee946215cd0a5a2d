/** Whatever may open something, by its name. */
const SECRET = /secret|token|password|passwd|credential|cookie|authorization|private|api.?key/i;
const DEPTH_MAX = 8;
export const HIDDEN = '[hidden]';

/** A copy of what a machine remembers, for people: without what may open something. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return HIDDEN;
  if (Array.isArray(value)) return value.map((one) => redact(one, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      SECRET.test(name) && one !== null ? HIDDEN : redact(one, depth + 1),
    ]),
  );
}
