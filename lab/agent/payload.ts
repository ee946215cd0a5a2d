import { z } from 'zod';

import { GAMES } from './games.ts';
import { isMinecraftVersion } from './minecraft-versions.ts';

const name = z.string().regex(/^[\w][\w .-]*$/, 'only letters, digits, spaces and . _ -');
const port = z.int().min(1).max(65_535);

const game = z
  .object({
    vmid: z.int().positive(),
    container_type: z.literal('game'),
    game: z.string().min(1),
    variant: z.string().min(1),
    version: z.string().min(1),
    world: name.max(64).default('world'),
    ports: z.array(port).default([]),
    artifact_path: z.string().min(1).optional(),
    java_path: z.string().min(1).optional(),
    memory_mb: z.int().positive(),
    admin_user: z.string().min(1).optional(),
    admin_pass: z.string().min(1).optional(),
  })
  .check((context) => {
    const payload = context.value;
    const refuse = (path: string, message: string) =>
      context.issues.push({ code: 'custom', input: payload, path: [path], message });
    if (!GAMES.has(payload.game)) refuse('game', `${payload.game} is not a known game`);
    if (payload.game !== 'minecraft') return;
    if (!payload.artifact_path) refuse('artifact_path', 'is needed for minecraft');
    if (!payload.java_path) refuse('java_path', 'is needed for minecraft');
    if (!isMinecraftVersion(payload.version)) refuse('version', 'must be from 1.16 to 1.21');
  });

const dev = z.object({
  vmid: z.int().positive(),
  container_type: z.literal('dev'),
  runtime: name,
  version: name,
  memory_mb: z.int().positive(),
});

export const payloadSchema = z.discriminatedUnion('container_type', [game, dev]);

export type Payload = z.output<typeof payloadSchema>;
export type GamePayload = Extract<Payload, { container_type: 'game' }>;

interface Mistake {
  readonly path: string;
  readonly message: string;
}

/** The payload, or everything that is wrong with it. */
export function readPayload(body: unknown): { payload: Payload } | { mistakes: Mistake[] } {
  const parsed = payloadSchema.safeParse(body);
  if (parsed.success) return { payload: parsed.data };
  const mistakes = parsed.error.issues.map(({ path, message }) => ({
    path: path.map(String).join('.'),
    message,
  }));
  return { mistakes };
}

/** Both went through the schema, which gives the fields one order whatever order they came in. */
export function samePayload(a: Payload, b: Payload): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
