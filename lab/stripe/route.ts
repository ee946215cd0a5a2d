import type { Account } from './account.ts';
import type { Form } from './form.ts';

/** One call of the API. What it throws as a Refusal is the answer. */
export interface Route {
  /** `POST /v1/customers/:id` */
  readonly on: string;
  /** `id` is empty if the path has none. */
  run(account: Account, request: { readonly id: string; readonly form: Form }): object;
}

export function matchRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { readonly route: Route; readonly id: string } | undefined {
  const given = `${method} ${path}`.split('/');
  for (const route of routes) {
    const wanted = route.on.split('/');
    const isSame = wanted.every((part, index) => part === ':id' || part === given[index]);
    const place = wanted.indexOf(':id');
    if (isSame && wanted.length === given.length)
      return { route, id: place < 0 ? '' : decodeURIComponent(given[place] ?? '') };
  }
  return undefined;
}
