import type { PrismaClient } from './generated/client.ts';

export interface User {
  readonly id: string;
  readonly email: string;
  readonly username: string;
  readonly displayName: string | null;
  readonly role: 'user' | 'admin';
  readonly passwordHash: string;
}

export interface Users {
  findById(id: string): Promise<User | null>;
  /** By e-mail or username. E-mails are compared without regard to case. */
  findByIdentifier(identifier: string): Promise<User | null>;
  /** Creates the account or brings it to what is given. */
  upsert(user: User): Promise<void>;
}

export function createUsers(prisma: PrismaClient): Users {
  return {
    findById: (id) => prisma.user.findUnique({ where: { id } }),
    findByIdentifier: (identifier) =>
      prisma.user.findFirst({
        where: { OR: [{ email: identifier.toLowerCase() }, { username: identifier }] },
      }),
    async upsert({ id, ...user }) {
      const fields = { ...user, email: user.email.toLowerCase() };
      await prisma.user.upsert({ where: { id }, create: { id, ...fields }, update: fields });
    },
  };
}
