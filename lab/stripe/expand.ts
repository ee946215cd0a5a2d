import {
  type Account,
  findCustomer,
  findInvoice,
  findSchedule,
  findSubscription,
} from './account.ts';
import { invalid } from './refusal.ts';
import { customerView, invoiceView, scheduleView, subscriptionView } from './views.ts';

/** What can stand in the place of its id. */
const VIEWS: Readonly<Record<string, (account: Account, id: string) => object>> = {
  customer: (account, id) => customerView(findCustomer(account, id)),
  latest_invoice: (account, id) => invoiceView(account, findInvoice(account, id)),
  schedule: (account, id) => scheduleView(findSchedule(account, id)),
  subscription: (account, id) => subscriptionView(account, findSubscription(account, id)),
};

type Body = Record<string, unknown>;

/** `schedule` of one, or `data.schedule` of each in a list. */
export function expand(account: Account, body: object, names: readonly string[]): object {
  if (names.length === 0) return body;
  const { data } = body as { data?: readonly Body[] };
  const inner = names.filter((name) => name.startsWith('data.'));
  const own = names.filter((name) => !name.startsWith('data.'));
  const listed = (one: Body) =>
    expandOne(
      account,
      one,
      inner.map((name) => name.slice(5)),
    );
  if (inner.length > 0 && !data) throw invalid(`This property cannot be expanded (${inner[0]}).`);
  const whole = expandOne(account, body as Body, own);
  return data && inner.length > 0 ? { ...whole, data: data.map(listed) } : whole;
}

function expandOne(account: Account, body: Body, names: readonly string[]): Body {
  const full = { ...body };
  for (const name of names) {
    const view = VIEWS[name];
    if (!view || !(name in body))
      throw invalid(`This property cannot be expanded (${name}).`, 'expand');
    const id = body[name];
    if (typeof id === 'string') full[name] = view(account, id);
  }
  return full;
}
