import { z } from 'zod';

/** What a database can keep and a terminal can show: a NUL, say, is refused by the former. */
export const plainText = z.string().regex(/^\P{Cc}*$/u, 'expected no control characters');
