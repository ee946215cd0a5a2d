import express, { type Request, type Response } from 'express';

import { InvalidInputError } from '../errors.ts';

const SIZE_MAX = 100 * 1024;
const USUAL_TYPES = new Set(['application/json', 'application/json; charset=utf-8']);

/** The JSON of a body; undefined: it has none. */
export type ReadJson = (request: Request, response: Response) => Promise<unknown>;

/**
 * What nearly everybody sends, UTF-8 of a known size that we accept, is read here; Express reads,
 * or refuses, all the rest, at several times the cost.
 */
export function createJsonReader(sizeMax: number = SIZE_MAX): ReadJson {
  const readUnusual = express.json({ limit: sizeMax });
  return async (request, response) => {
    const { headers } = request;
    const size = Number(headers['content-length']);
    const isUsual =
      size > 0 &&
      size <= sizeMax &&
      USUAL_TYPES.has(headers['content-type'] ?? '') &&
      headers['content-encoding'] === undefined;
    if (isUsual) return parse(await readText(request, size));
    await new Promise<void>((resolve, reject) => {
      readUnusual(request, response, (error?: unknown) => (error ? reject(error) : resolve()));
    });
    return request.body;
  };
}

function readText(request: Request, size: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let received = 0;
  const isCutOff = (cause?: unknown) =>
    reject(new InvalidInputError('the body ends before its end', { cause }));
  if (request.destroyed) isCutOff();
  request.on('error', isCutOff);
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
    chunks.push(chunk);
    // No more is coming; the stream itself says so only later.
    if (received === size) resolve(toText(chunks));
  });
  return promise;
}

function toText(chunks: readonly Buffer[]): string {
  const [first] = chunks;
  const whole = first && chunks.length === 1 ? first : Buffer.concat(chunks);
  const text = whole.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

/** The bytes of a body, whatever they are, with what signs them. */
export function createSignedReader(header: string, sizeMax: number = SIZE_MAX): ReadJson {
  const readBytes = express.raw({ limit: sizeMax, type: () => true });
  return async (request, response) => {
    await new Promise<void>((resolve, reject) => {
      readBytes(request, response, (error?: unknown) => (error ? reject(error) : resolve()));
    });
    const bytes: unknown = request.body;
    return {
      bytes: Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0),
      signature: request.get(header),
    };
  };
}

/** Objects and arrays, as with Express: a bare number or word is no body of ours. */
function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    throw new InvalidInputError('the body is not readable JSON', { cause });
  }
  throw new InvalidInputError('the body is not readable JSON');
}
