import { describeApi } from '../../src/http/openapi.ts';
import { API_VERSION } from '../../src/http/server.ts';
import { listEndpoints } from './endpoints.ts';

/** docs/openapi.json */
export async function renderOpenApi(): Promise<string> {
  return `${JSON.stringify(describeApi(await listEndpoints(), API_VERSION), null, 2)}\n`;
}
