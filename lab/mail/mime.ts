/** As much of MIME as our mails use: headers, encoded words, and text in one or several parts. */
export interface ParsedMail {
  /** By lowercase name, unfolded and decoded. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | null;
  readonly html: string | null;
}

const PARTS_DEEP_MAX = 5;

export function parseMail(raw: string): ParsedMail {
  const { headers, body } = divide(raw);
  const bodies = bodiesOf(headers, body, 0);
  return { headers, text: bodies['text/plain'] ?? null, html: bodies['text/html'] ?? null };
}

type Headers = Readonly<Record<string, string>>;

function divide(raw: string): { headers: Headers; body: string } {
  const end = /\r?\n\r?\n/.exec(raw);
  const head = end ? raw.slice(0, end.index) : raw;
  const fields = head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), decodeWords(field.slice(colon + 1).trim())];
    }),
  );
  return { headers, body: end ? raw.slice(end.index + end[0].length) : '' };
}

function bodiesOf(headers: Headers, body: string, depth: number): Record<string, string> {
  const type = headers['content-type'] ?? 'text/plain';
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary === undefined || depth > PARTS_DEEP_MAX) {
    const name = type.split(';')[0]?.trim().toLowerCase() ?? '';
    return { [name]: decodeBody(body, headers['content-transfer-encoding'] ?? '7bit') };
  }
  const parts = body.split(`--${boundary}`).slice(1, -1);
  return Object.assign(
    {},
    ...parts.map((part) => {
      const inner = divide(part.replace(/^\r?\n/, ''));
      return bodiesOf(inner.headers, inner.body.replace(/\r?\n$/, ''), depth + 1);
    }),
  );
}

function decodeBody(body: string, encoding: string): string {
  const name = encoding.toLowerCase();
  if (name === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  const bytes = name === 'quoted-printable' ? unquote(body.replace(/=\r?\n/g, '')) : body;
  return Buffer.from(bytes, 'latin1').toString('utf8').replace(/\r\n/g, '\n');
}

const unquote = (text: string): string =>
  text.replace(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** `=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=`; blanks between two of them mean nothing. */
function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(?==\?)/g, '$1')
    .replace(/=\?utf-8\?([qb])\?([^?]*)\?=/gi, (_, way: string, word: string) =>
      way.toLowerCase() === 'b'
        ? Buffer.from(word, 'base64').toString('utf8')
        : Buffer.from(unquote(word.replaceAll('_', ' ')), 'latin1').toString('utf8'),
    );
}
