import { z } from 'zod';

import { invalid } from './refusal.ts';

type Field = string | Field[] | { [name: string]: Field };
export type Form = Readonly<Record<string, Field>>;

/** `items[0][price]=p&expand[]=customer` as `{ items: [{ price: 'p' }], expand: ['customer'] }`. */
export function readForm(text: string): Form {
  const root: Record<string, unknown> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const keys = [...name.matchAll(/[^[\]]+|(?<=\[)(?=\])/g)].map(([key]) => key);
    put(root, keys, value);
  }
  return withArrays(root) as Form;
}

function put(root: Record<string, unknown>, keys: readonly string[], value: string): void {
  let place = root;
  keys.forEach((key, depth) => {
    // An empty pair of brackets stands for the next place.
    const name = key === '' ? String(Object.keys(place).length) : key;
    if (depth === keys.length - 1) {
      place[name] = value;
      return;
    }
    const next = place[name];
    const isPlace = typeof next === 'object' && next !== null;
    const inner = (isPlace ? next : Object.create(null)) as Record<string, unknown>;
    place[name] = inner;
    place = inner;
  });
}

function withArrays(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, withArrays(one)] as const);
  const isList = entries.length > 0 && entries.every(([key], index) => key === String(index));
  return isList ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

/** @throws Refusal in the words of Stripe, for the first thing that is wrong. */
export function check<S extends z.ZodType>(schema: S, form: Form): z.output<S> {
  const parsed = schema.safeParse(form);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String) ?? [];
  if (issue?.code === 'unrecognized_keys') {
    const name = nameOf([...path, issue.keys[0] ?? '']);
    throw invalid(`Received unknown parameter: ${name}`, name, 'parameter_unknown');
  }
  const name = nameOf(path);
  if (isAbsent(form, path))
    throw invalid(`Missing required param: ${name}.`, name, 'parameter_missing');
  throw invalid(`Invalid ${name}: ${issue?.message ?? ''}`, name);
}

const nameOf = ([first = '', ...rest]: readonly string[]): string =>
  [first, ...rest.map((one) => `[${one}]`)].join('');

function isAbsent(form: Form, path: readonly string[]): boolean {
  let place: unknown = form;
  for (const key of path) place = (place as Record<string, unknown> | undefined)?.[key];
  return place === undefined;
}

/** Of values in a form, which are all text. */
export const fields = {
  text: z.string().min(1),
  /** An empty one takes away what was there. */
  erasable: z.string().transform((value) => value || null),
  whole: z.coerce.number().int(),
  truth: z.enum(['true', 'false']).transform((value) => value === 'true'),
  /** Those with nothing in them are left out. */
  metadata: z.union([z.record(z.string(), z.string()), z.literal('').transform(() => ({}))]),
  expand: z.array(z.string()).max(20).default([]),
} as const;
