/**
 * What a schema.prisma says that a database must be like, one sorted line for each table, column,
 * key and index. Knows as much of the language as ours uses, and refuses what it does not know.
 */
export function describePrismaSchema(text: string): readonly string[] {
  const blocks = [...text.matchAll(/^(model|enum) (\w+) \{\n([\s\S]*?)^\}/gm)].map(
    ([, keyword = '', name = '', body = '']) => ({ keyword, name, lines: linesOf(body) }),
  );
  const enums = new Map(
    blocks.flatMap(({ keyword, name, lines }) =>
      keyword === 'enum' ? [[name, mapOf(lines) ?? name] as const] : [],
    ),
  );
  return blocks
    .flatMap(({ keyword, name, lines }) =>
      keyword === 'enum'
        ? [`enum ${enums.get(name)}: ${lines.filter((line) => /^\w+$/.test(line)).join(', ')}`]
        : describeModel(name, lines, enums),
    )
    .sort();
}

const TYPES: Readonly<Record<string, string>> = {
  String: 'text',
  Int: 'integer',
  BigInt: 'bigint',
  Boolean: 'boolean',
  Json: 'jsonb',
  'DateTime @db.Timestamptz(3)': 'timestamp(3) with time zone',
};

const linesOf = (body: string) =>
  body
    .split('\n')
    .map((line) => line.replace(/\/\/.*$/, '').trim())
    .filter(Boolean);

const mapOf = (lines: readonly string[]) => {
  const line = lines.find((one) => one.startsWith('@@map'));
  return line && /"(\w+)"/.exec(line)?.[1];
};

interface Field {
  readonly field: string;
  readonly column: string;
  readonly type: string;
  readonly isNullable: boolean;
  readonly defaultsTo: string;
  readonly attributes: string;
}

function readField(line: string, enums: ReadonlyMap<string, string>): Field {
  const [, field, bare, optional, attributes] = /^(\w+)\s+(\w+)(\??)\s*(.*)$/.exec(line) ?? [];
  if (!field || !bare) throw new Error(`not understood: ${line}`);
  const native = /@db\.\w+(\(\d+\))?/.exec(attributes ?? '')?.[0];
  const type = enums.get(bare) ?? TYPES[native ? `${bare} ${native}` : bare];
  if (!type) throw new Error(`no type is known for: ${line}`);
  return {
    field,
    column: /@map\("(\w+)"\)/.exec(attributes ?? '')?.[1] ?? field,
    type,
    isNullable: optional === '?',
    defaultsTo: defaultOf(attributes ?? '', enums.get(bare)),
    attributes: attributes ?? '',
  };
}

function defaultOf(attributes: string, enumType: string | undefined): string {
  const generated = /@default\(dbgenerated\("([^"]+)"\)\)/.exec(attributes)?.[1];
  if (generated) return generated;
  const plain = /@default\((now\(\)|\w+)\)/.exec(attributes)?.[1];
  if (plain === undefined) return 'nothing';
  if (plain === 'now()') return 'CURRENT_TIMESTAMP';
  return enumType ? `'${plain}'::${enumType}` : plain;
}

function describeModel(name: string, lines: readonly string[], enums: ReadonlyMap<string, string>) {
  const table = mapOf(lines) ?? name;
  const fields = lines.filter((line) => !line.startsWith('@@')).map((one) => readField(one, enums));
  const columns = new Map(fields.map(({ field, column }) => [field, column]));
  const keys = (attribute: string, word: string) => {
    const own = fields.filter(({ attributes }) => new RegExp(`@${attribute}\\b`).test(attributes));
    const shared = lines
      .map((line) => new RegExp(`^@@${attribute}\\(\\[([^\\]]+)\\]\\)`).exec(line)?.[1])
      .filter((list) => list !== undefined)
      .map((list) => list.split(',').map((field) => columns.get(field.trim())));
    return [...own.map(({ column }) => [column]), ...shared].map(
      (list) => `${word} ${table}(${list.join(', ')})`,
    );
  };
  return [
    ...fields.map(
      ({ column, type, isNullable, defaultsTo }) =>
        `column ${table}.${column}: ${type} ${isNullable ? 'null' : 'not null'}, ${defaultsTo}`,
    ),
    ...keys('id', 'primary key'),
    ...keys('unique', 'unique index'),
    ...keys('index', 'index'),
  ];
}
