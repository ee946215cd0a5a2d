import { fileURLToPath } from 'node:url';

/**
 * Where processes that are started again and again keep what they compile (NODE_COMPILE_CACHE):
 * most of the work of a start. All that run from the same files may share it.
 */
export const COMPILED = fileURLToPath(new URL('../.cache/compiled', import.meta.url));
