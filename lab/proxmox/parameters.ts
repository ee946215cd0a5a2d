import { badParameters } from './errors.ts';

export interface Parameter {
  readonly type: 'integer' | 'number' | 'boolean' | 'string';
  readonly required?: true;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly oneOf?: readonly string[];
  readonly pattern?: RegExp;
  /** A pattern with a name of its own: "value does not look like a valid <name>". */
  readonly format?: readonly [name: string, pattern: RegExp];
}

/** A name ending in `[n]` stands for the name with any number: net0, net1, … */
export type ParameterTable = Readonly<Record<string, Parameter>>;

type Value = string | number | boolean;

export class Parameters {
  readonly #values: ReadonlyMap<string, Value>;

  constructor(values: ReadonlyMap<string, Value>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : String(value);
  }

  integer(name: string): number | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : Number(value);
  }

  flag(name: string): boolean | undefined {
    const value = this.#values.get(name);
    return value === undefined ? undefined : value === true;
  }

  /** What goes into a configuration file: everything but the named, truth as 0 and 1. */
  except(names: ReadonlySet<string>): Map<string, string | number> {
    const kept = new Map<string, string | number>();
    for (const [name, value] of this.#values) {
      if (!names.has(name)) kept.set(name, typeof value === 'boolean' ? Number(value) : value);
    }
    return kept;
  }
}

const UNKNOWN =
  'property is not defined in schema and the schema does not allow additional properties';

/** All mistakes at once, in the original's words. */
export function checkParameters(
  table: ParameterTable,
  given: ReadonlyMap<string, string>,
): Parameters {
  const errors: Record<string, string> = {};
  const values = new Map<string, Value>();
  for (const [name, text] of given) {
    const parameter = table[name] ?? table[name.replace(/\d+$/, '[n]')];
    if (!parameter) {
      errors[name] = UNKNOWN;
      continue;
    }
    const value = convert(parameter, text);
    const mistake = value === undefined ? wrongType(parameter, text) : check(parameter, value);
    if (mistake) errors[name] = mistake;
    else if (value !== undefined) values.set(name, value);
  }
  for (const [name, parameter] of Object.entries(table)) {
    if (parameter.required && !given.has(name)) {
      errors[name] = 'property is missing and it is not optional';
    }
  }
  if (Object.keys(errors).length > 0) throw badParameters(errors);
  return new Parameters(values);
}

function convert(parameter: Parameter, text: string): Value | undefined {
  switch (parameter.type) {
    case 'string':
      return text;
    case 'integer':
      return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
    case 'number':
      return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
    case 'boolean':
      if (/^(1|yes|true|on)$/i.test(text)) return true;
      return /^(0|no|false|off)$/i.test(text) ? false : undefined;
  }
}

function wrongType({ type }: Parameter, text: string): string {
  return `type check ('${type}') failed - got '${text}'`;
}

function check(parameter: Parameter, value: Value): string | undefined {
  if (typeof value === 'number') return checkNumber(parameter, value);
  if (typeof value === 'string') return checkText(parameter, value);
  return undefined;
}

function checkNumber({ minimum, maximum }: Parameter, value: number): string | undefined {
  if (minimum !== undefined && value < minimum) {
    return `value must have a minimum value of ${minimum}`;
  }
  if (maximum !== undefined && value > maximum) {
    return `value must have a maximum value of ${maximum}`;
  }
  return undefined;
}

function checkText(parameter: Parameter, value: string): string | undefined {
  const { minLength, maxLength, oneOf, pattern, format } = parameter;
  if (format && !format[1].test(value)) {
    return `invalid format - value does not look like a valid ${format[0]}\n`;
  }
  if (maxLength !== undefined && value.length > maxLength) {
    return `value may only be ${maxLength} characters long`;
  }
  if (minLength !== undefined && value.length < minLength) {
    return `value must be at least ${minLength} characters long`;
  }
  if (oneOf && !oneOf.includes(value)) {
    return `value '${value}' does not have a value in the enumeration '${oneOf.join(', ')}'`;
  }
  return pattern && !pattern.test(value) ? 'value does not match the regex pattern' : undefined;
}
