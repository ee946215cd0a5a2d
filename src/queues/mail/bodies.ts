import type { Content } from './contents.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** The one way from text to HTML, whoever wrote it. */
const toHtml = (text: string): string => text.replace(/[&<>"']/g, (one) => ESCAPES[one] ?? one);

export function textBody(greeting: string, { paragraphs, link, quote }: Content): string {
  const parts = [
    greeting,
    ...paragraphs,
    ...(link ? [`${link.label}:\n${link.url}`] : []),
    ...(quote === undefined ? [] : [quote.replace(/\r\n?/g, '\n').replace(/^/gm, '> ')]),
  ];
  return `${parts.join('\n\n')}\n\n-- \nZeroLag Hub\n`;
}

const FONT = 'font-family:system-ui,-apple-system,Segoe UI,sans-serif;font-size:16px';
const BUTTON =
  'display:inline-block;padding:12px 20px;border-radius:6px;background:#2456d6;color:#ffffff;text-decoration:none';
const QUOTE = 'margin:0 0 16px;padding:0 0 0 12px;border-left:3px solid #cccccc';

export function htmlBody(greeting: string, { subject, paragraphs, link, quote }: Content): string {
  const lines = [
    ...[greeting, ...paragraphs].map((text) => `<p>${toHtml(text)}</p>`),
    ...(link ? linkLines(link) : []),
    ...(quote === undefined
      ? []
      : [`<blockquote style="${QUOTE};white-space:pre-wrap">${toHtml(quote)}</blockquote>`]),
  ];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${toHtml(subject)}</title></head>
<body style="${FONT};line-height:1.5;color:#1c1c1c;max-width:560px;margin:0 auto;padding:24px">
${lines.join('\n')}
<p style="color:#666666;font-size:13px">ZeroLag Hub</p>
</body>
</html>
`;
}

/** Some programs do not show buttons, and some people rather see where a link leads. */
function linkLines({ label, url }: { label: string; url: string }): readonly string[] {
  const href = toHtml(url);
  return [
    `<p><a href="${href}" style="${BUTTON}">${toHtml(label)}</a></p>`,
    `<p style="font-size:13px;color:#666666;word-break:break-all">${href}</p>`,
  ];
}
