import { ConflictError } from '../errors.ts';
import { asking } from './failures.ts';
import type { Prisma, PrismaClient } from './generated/client.ts';
import type { Transaction } from './transaction.ts';

export interface User {
  readonly id: string;
  readonly email: string;
  readonly username: string;
  readonly firstName: string | null;
  readonly lastName: string | null;
  readonly displayName: string | null;
  readonly role: 'user' | 'admin';
  readonly passwordHash: string;
}

export interface StoredUser extends User {
  readonly createdAt: Date;
  /** Mail does not reach it since then. */
  readonly mailBouncedAt: Date | null;
}

/** null: nothing; undefined: as it is. */
export interface Names {
  readonly firstName?: string | null | undefined;
  readonly lastName?: string | null | undefined;
  readonly displayName?: string | null | undefined;
}

export interface Users {
  findById(id: string): Promise<StoredUser | null>;
  /** By e-mail or username, without regard to case. */
  findByIdentifier(identifier: string): Promise<StoredUser | null>;
  /** Which of these belongs to somebody already? */
  findTaken(wanted: Pick<User, 'email' | 'username'>): Promise<'email' | 'username' | null>;
  /** Creates the account or brings it to what is given. */
  upsert(user: NewUser): Promise<void>;
  /** null: there is none. */
  rename(id: string, names: Names): Promise<StoredUser | null>;
  /** The latest first; `after`: the id of the last one of the page before. */
  list(page: {
    readonly limit: number;
    readonly after?: string | undefined;
    readonly search?: string | undefined;
  }): Promise<readonly StoredUser[]>;
}

export type NewUser = Omit<User, keyof Names> & Names;

const FINDING = 'find an account';

const plain = (text: string) => text.toLowerCase();

export function createUsers(prisma: PrismaClient): Users {
  const { user: table } = prisma;
  return {
    findById: (id) => asking(FINDING, async () => table.findUnique({ where: { id } })),
    findByIdentifier: (identifier) =>
      asking(FINDING, async () =>
        table.findFirst({
          where: { OR: [{ email: plain(identifier) }, { usernameKey: plain(identifier) }] },
        }),
      ),
    findTaken: ({ email, username }) =>
      asking(FINDING, async () => {
        if (await table.findUnique({ where: { email: plain(email) } })) return 'email';
        const namesake = await table.findUnique({ where: { usernameKey: plain(username) } });
        return namesake && 'username';
      }),
    async upsert({ id, ...given }) {
      const user = toRow(given);
      await table.upsert({ where: { id }, create: { id, ...user }, update: user });
    },
    rename: (id, names) =>
      asking('rename an account', async () => {
        const [user] = await table.updateManyAndReturn({ where: { id }, data: toNames(names) });
        return user ?? null;
      }),
    list: ({ limit, after, search }) =>
      asking('list accounts', async () =>
        table.findMany({
          where: search === undefined ? {} : matching(search),
          orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
          take: limit,
          ...(after !== undefined && { cursor: { id: after }, skip: 1 }),
        }),
      ),
  };
}

/** @throws what the database does if the e-mail or the username is somebody's */
export async function insertUser(transaction: Transaction, user: NewUser): Promise<StoredUser> {
  const { id, ...given } = user;
  return transaction.user.create({ data: { id, ...toRow(given) } });
}

type LockedUser = Pick<User, 'email' | 'passwordHash' | 'role'>;

/** Makes whatever changes who may use an account take turns. null: there is no such account. */
export async function lockUser(transaction: Transaction, id: string): Promise<LockedUser | null> {
  const [user] = await transaction.$queryRaw<LockedUser[]>`
    SELECT email, password_hash AS "passwordHash", role::text AS role FROM "user"
    WHERE id = ${id} FOR NO KEY UPDATE`;
  return user ?? null;
}

/**
 * Somebody must be left who can give the role back.
 * @throws ConflictError
 */
export async function requireOtherAdmin(transaction: Transaction, id: string): Promise<void> {
  // Two who take it from each other take turns, and the second one is told no.
  const admins = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM "user" WHERE role = 'admin' ORDER BY id FOR UPDATE`;
  if (admins.some((admin) => admin.id !== id)) return;
  throw new ConflictError('somebody must remain an administrator');
}

const toRow = ({ email, firstName, lastName, displayName, ...rest }: Omit<NewUser, 'id'>) => ({
  ...rest,
  ...toNames({ firstName, lastName, displayName }),
  email: plain(email),
});

const toNames = ({ firstName, lastName, displayName }: Names) => ({
  ...(firstName !== undefined && { firstName }),
  ...(lastName !== undefined && { lastName }),
  ...(displayName !== undefined && { displayName }),
});

function matching(search: string): Prisma.UserWhereInput {
  // What LIKE reads as a pattern is meant as it is written.
  const contains = search.replace(/[\\%_]/g, '\\$&');
  const like = { contains, mode: 'insensitive' } as const;
  return { OR: [{ email: like }, { username: like }, { displayName: like }] };
}
