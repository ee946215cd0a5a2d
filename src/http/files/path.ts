import { z } from 'zod';

const PATH_MAX = 1_024;
const NAME_BYTES_MAX = 255;
/** What would mean something else if anybody decoded it once more, however often it is encoded. */
const ENCODED = /%(?:25)*(?:2e|2f|5c|00)/i;

const isName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= NAME_BYTES_MAX;

/**
 * Below the root of the server and written plainly. The agent looks again, and at links, which
 * only it can see: who gets past one of us does not get past both.
 */
export const isConfined = (path: string): boolean =>
  path.length <= PATH_MAX &&
  path.isWellFormed() &&
  !/[\p{Cc}\\]/u.test(path) &&
  !ENCODED.test(path) &&
  path.split('/').every(isName);

const MESSAGE =
  'expected a path relative to the server, by slashes, without empty parts, "." and "..", ' +
  'backslashes, control characters and encoded ones of these';

/** Of a file or a folder. */
export const entryPath = z.string().refine(isConfined, MESSAGE).describe('Relative to the server');

/** Of a folder: the empty one is the server's own. */
export const folderPath = z
  .string()
  .refine((path) => path === '' || isConfined(path), MESSAGE)
  .default('')
  .describe('Relative to the server, which is the empty one');
