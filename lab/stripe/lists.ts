import { z } from 'zod';

import { fields } from './form.ts';
import { invalid } from './refusal.ts';

/** Parameters that every list takes. */
export const paging = z.strictObject({
  limit: fields.whole.min(1).max(100).default(10),
  starting_after: fields.text.optional(),
  ending_before: fields.text.optional(),
  expand: fields.expand,
});

type Paging = Omit<z.output<typeof paging>, 'expand'>;

/** A page of what was created in this order; lists begin with the newest. */
export function pageOf<T extends { readonly id: string }>(
  all: readonly T[],
  {
    url,
    view,
    limit,
    starting_after,
    ending_before,
  }: Paging & {
    readonly url: string;
    readonly view: (one: T) => object;
  },
): object {
  const found = all.toReversed();
  const place = (id: string, param: string): number => {
    const index = found.findIndex((one) => one.id === id);
    if (index < 0) throw invalid(`No such object: '${id}'`, param, 'resource_missing');
    return index;
  };
  let rest = found;
  let isBackwards = false;
  if (starting_after !== undefined) rest = found.slice(place(starting_after, 'starting_after') + 1);
  else if (ending_before !== undefined) {
    rest = found.slice(0, place(ending_before, 'ending_before'));
    isBackwards = true;
  }
  const data = isBackwards ? rest.slice(-limit) : rest.slice(0, limit);
  return { object: 'list', url, has_more: rest.length > data.length, data: data.map(view) };
}
