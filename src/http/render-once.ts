import type { Unseen } from '../machines/instance/status.ts';
import type { FleetEntry } from '../view/fleet.ts';

/** One rendering for each way in which it can be unseen; nearly always it is the first. */
export function onceFor<Rendered>(
  entry: FleetEntry,
  name: string,
  unseen: Unseen,
  render: (entry: FleetEntry, unseen: Unseen) => Rendered,
): Rendered {
  const variant = unseen.host || unseen.agent ? `${name} ${unseen.host} ${unseen.agent}` : name;
  return once(entry, variant, (one) => render(one, unseen));
}

/** Rendered when somebody first reads this version of the entry. */
export function once<Rendered>(
  entry: FleetEntry,
  name: string,
  render: (entry: FleetEntry) => Rendered,
): Rendered {
  const known = entry.derived.get(name) as Rendered | undefined;
  if (known !== undefined) return known;
  const rendered = render(entry);
  entry.derived.set(name, rendered);
  return rendered;
}
