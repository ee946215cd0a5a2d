import type { z } from 'zod';

declare const checked: unique symbol;

/** JSON text of something that has been checked against its schema: it is sent as it is. */
export type CheckedJson = string & { readonly [checked]: true };

export const toCheckedJson = <S extends z.ZodType>(schema: S, value: z.input<S>): CheckedJson =>
  JSON.stringify(schema.parse(value)) as CheckedJson;

/** For texts that are put together of checked ones, where the whole is checked by a test. */
export const assembledJson = (text: string): CheckedJson => text as CheckedJson;
