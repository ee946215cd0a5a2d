import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { glob, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * Builds the console page into web/dist, unless what is there was made of the same sources. The lab
 * and the tests do it by themselves.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAMP = `${ROOT}web/dist/.made-of`;
const SOURCES = ['package-lock.json', 'web/*.{html,json,ts}', 'web/src/**/*.{ts,tsx,css}'];

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  const paths = await Array.fromAsync(glob(SOURCES, { cwd: ROOT }));
  for (const path of paths.sort()) hash.update(path).update(await readFile(`${ROOT}${path}`));
  return hash.digest('hex');
}

/** @returns whether there was anything to do */
export async function buildWeb(): Promise<boolean> {
  const wanted = await fingerprint();
  if ((await readFile(STAMP, 'utf8').catch(() => '')) === wanted) return false;
  const args = [`${ROOT}node_modules/vite/bin/vite.js`, 'build', 'web', '--logLevel', 'warn'];
  // Whoever tests is served what everybody is served.
  const env = { ...process.env, NODE_ENV: 'production' };
  const build = spawn(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit' });
  const [code] = await once(build, 'exit');
  if (code !== 0) throw new Error(`the console page was not built: vite ended with ${code}`);
  await writeFile(STAMP, wanted);
  return true;
}

if (import.meta.main) {
  console.log((await buildWeb()) ? 'built the console page' : 'the console page is up to date');
}
