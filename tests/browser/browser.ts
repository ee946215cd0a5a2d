import { existsSync } from 'node:fs';

import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium as playwright } from 'playwright-core';

/** Nothing is asked of anybody but the page that is looked at. */
const QUIET = [
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--no-first-run', '--no-default-browser-check'],
];
/**
 * Not the arguments that come with the package: they take away what keeps origins apart, and put all
 * into one process, where a second person's browser loses its cookies.
 */
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', ...QUIET];
/** An installed one, where the package has none for this machine. */
const INSTALLED = ['/usr/bin/chromium', '/usr/bin/google-chrome'];

export interface TestBrowser extends AsyncDisposable {
  /** A person's browser, with nothing in it yet. */
  open(): Promise<BrowserContext>;
}

/** A real Chromium, without a window. `*.localhost` is this machine for it by itself. */
export async function startBrowser(): Promise<TestBrowser> {
  const browser = await launchChromium();
  return {
    open: () => browser.newContext(),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

export async function launchChromium(): Promise<Browser> {
  return playwright.launch({ headless: true, ...(await findChromium()) });
}

async function findChromium() {
  const installed = INSTALLED.find((path) => existsSync(path));
  const isPackaged = process.platform === 'linux' && process.arch === 'x64';
  const executablePath = !isPackaged && installed ? installed : await chromium.executablePath();
  return { executablePath, args: ARGS };
}
