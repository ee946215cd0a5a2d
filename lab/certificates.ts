import { generate } from 'selfsigned';

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/** A certificate for this machine that is its own authority, PEM. */
export async function makeCertificate(
  commonName: string,
): Promise<{ readonly key: string; readonly cert: string }> {
  const now = Date.now();
  const pair = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - 60_000),
    notAfterDate: new Date(now + 10 * YEAR_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { key: pair.private, cert: pair.cert };
}
