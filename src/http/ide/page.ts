import { createHash } from 'node:crypto';

const STYLE =
  'body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}' +
  'button{font:inherit;padding:.5rem 1rem}small{color:#666}';

/** Nothing is loaded, run or shown in a frame; a form leads back to where it stands. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

export interface Page {
  readonly title: string;
  readonly text: string;
  /** For whoever reports it. */
  readonly code: string;
  /** A button, and where it posts to. */
  readonly button?: { readonly label: string; readonly action: string } | undefined;
  /** Looks again by itself after so many seconds. */
  readonly refreshS?: number | undefined;
}

/** A page instead of an IDE. It holds no secret: there is nothing in it to take along. */
export function renderPage({ title, text, code, button, refreshS }: Page): string {
  const refresh =
    refreshS === undefined ? '' : `<meta http-equiv="refresh" content="${refreshS}">\n`;
  const form = button
    ? `<form method="post" action="${toHtml(button.action)}">` +
      `<button>${toHtml(button.label)}</button></form>\n`
    : '';
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
${refresh}<title>${toHtml(title)}</title>
<style>${STYLE}</style>
<h1>${toHtml(title)}</h1>
<p>${toHtml(text)}</p>
${form}<p><small>${toHtml(code)}</small></p>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
};
const toHtml = (text: string): string => text.replace(/[&<>"']/g, (one) => ENTITIES[one] ?? one);
