import { z } from 'zod';

import { ENVIRONMENT } from '../../src/environment.ts';

/** .env.example: every variable with its meaning; those with a default are commented out. */
export function renderEnvironment(): string {
  const { properties = {}, required = [] } = z.toJSONSchema(ENVIRONMENT, {
    io: 'input',
    unrepresentable: 'any',
  });
  const lines = Object.entries(properties).map(([name, property]) => {
    const { description, default: preset } = property as {
      description?: string;
      default?: unknown;
    };
    const isRequired = required.includes(name);
    const value = preset === undefined ? '' : String(preset);
    return `# ${description}${isRequired ? ' (required)' : ''}\n${isRequired ? '' : '# '}${name}=${value}\n`;
  });
  return lines.join('\n');
}
