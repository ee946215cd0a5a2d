import { type Account, findCustomer, findPrice } from './account.ts';
import { addMonths, DAY_S } from './calendar.ts';
import { findSession, paySession, setCard } from './checkout.ts';
import type { Form } from './form.ts';
import { openInvoices } from './invoices.ts';
import { findVisit, livingOf, payOpen, setEnding } from './portal.ts';
import { Refusal } from './refusal.ts';
import type { Session, Subscription, Visit } from './state.ts';

/** What people see in a browser. Forms are answered with a redirect, so that none is sent twice. */
export type Page =
  | { readonly status: number; readonly html: string }
  | { readonly location: string };

interface Click {
  readonly method: string;
  readonly path: string;
  readonly form: Form;
}

export interface Desk {
  readonly account: Account;
  advance(ms: number): void;
}

/** undefined: there is no such page. */
export function openPage(desk: Desk, click: Click): Page | undefined {
  const { account } = desk;
  const [, kind, id = '', action = ''] = click.path.split('/');
  try {
    if (kind === 'pay') return openCheckout(account, findSession(account, id), action, click);
    if (kind === 'portal') return openPortal(account, findVisit(account, id), action, click);
    if (click.path === '/') return { status: 200, html: overview(account) };
    if (click.method === 'POST' && click.path === '/clock') return moveClock(desk, click.form);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: error.status, html: layout('Not possible', `<p>${text(error.message)}</p>`) };
  }
}

function openCheckout(
  account: Account,
  session: Session,
  action: string,
  { method, form }: Click,
): Page | undefined {
  if (method === 'GET' && action === '') return { status: 200, html: checkout(account, session) };
  if (method !== 'POST') return undefined;
  if (action === 'cancel') return { location: session.cancelUrl ?? account.pageUrl('/') };
  if (action !== '') return undefined;
  paySession(account, session, form['card'] === 'declining' ? 'declining' : 'good');
  return { location: session.successUrl.replace('{CHECKOUT_SESSION_ID}', session.id) };
}

function openPortal(
  account: Account,
  { id, customer, returnUrl }: Visit,
  action: string,
  { method, form }: Click,
): Page | undefined {
  if (method === 'GET' && action === '')
    return { status: 200, html: portal(account, { id, customer, returnUrl }) };
  if (method !== 'POST') return undefined;
  if (action === 'pay') payOpen(account, customer);
  else if (action === 'card')
    setCard(account, customer, form['card'] === 'declining' ? 'declining' : 'good');
  else if (action === 'cancel' || action === 'resume')
    setEnding(account, customer, action === 'cancel');
  else return undefined;
  return { location: account.pageUrl(`/portal/${id}`) };
}

function moveClock({ account, advance }: Desk, form: Form): Page {
  const now = account.now();
  const days = Number(form['days'] ?? 0);
  advance((form['months'] ? addMonths(now, Number(form['months'])) - now : days * DAY_S) * 1000);
  return { location: account.pageUrl('/') };
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};
const text = (value: string): string => value.replace(/[&<>"]/g, (one) => ESCAPES[one] ?? one);
const money = (cents: number): string => `${(cents / 100).toFixed(2)} EUR`;
const day = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10);

const layout = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${text(title)}</title>
<style>body{font:16px sans-serif;max-width:48rem;margin:2rem auto}form{display:inline}td,th{padding:.2rem .8rem;text-align:left}</style>
</head><body><h1>${text(title)}</h1>${body}<p>This is a stand-in: no card is charged.</p></body></html>`;

const button = (action: string, label: string, fields: Readonly<Record<string, string>> = {}) =>
  `<form method="post" action="${text(action)}">${Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${text(name)}" value="${text(value)}">`)
    .join('')}<button>${text(label)}</button></form> `;

function checkout(account: Account, session: Session): string {
  if (session.status !== 'open')
    return layout('Checkout', `<p>This page is ${session.status}.</p>`);
  const { name, amount } = findPrice(account, session.price);
  const path = `/pay/${session.id}`;
  const trial = session.trialDays ? `, after ${session.trialDays} days of trial` : '';
  return layout(
    'Checkout',
    `<p>${text(name)}: ${money(amount)} a month${trial}</p>${button(path, 'Pay', { card: 'good' })}
${button(path, 'Pay with a card that is declined', { card: 'declining' })}${button(`${path}/cancel`, 'Back')}`,
  );
}

function describe(account: Account, one: Subscription): string {
  const { name } = findPrice(account, one.price);
  const end = one.cancelAtPeriodEnd ? ', then it ends' : '';
  return `${text(name)}: ${one.status}, until ${day(one.periodEnd)}${end}`;
}

function portal(account: Account, { id, customer, returnUrl }: Omit<Visit, 'created'>): string {
  const { card } = findCustomer(account, customer);
  const open = openInvoices(account, customer);
  const owed = open.reduce((sum, { amountDue }) => sum + amountDue, 0);
  const own = livingOf(account, customer).map((one) => `<li>${describe(account, one)}</li>`);
  const path = `/portal/${id}`;
  return layout(
    'Billing',
    `<ul>${own.join('')}</ul><p>Card: ${card}. Owed: ${money(owed)}</p>
${open.length > 0 ? button(`${path}/pay`, 'Pay what is owed') : ''}
${button(`${path}/card`, 'A good card', { card: 'good' })}
${button(`${path}/card`, 'A card that is declined', { card: 'declining' })}
${button(`${path}/cancel`, 'End at the end of the period')}${button(`${path}/resume`, 'Go on after all')}
${returnUrl === null ? '' : `<p><a href="${text(returnUrl)}">Back</a></p>`}`,
  );
}

function overview(account: Account): string {
  const rows = account.state.subscriptions.toReversed().map((one) => {
    const { email, card } = findCustomer(account, one.customer);
    return `<tr><td>${text(email ?? one.customer)}</td><td>${describe(account, one)}</td><td>${card}</td></tr>`;
  });
  const events = account.state.events.slice(-20).toReversed();
  return layout(
    'Payments',
    `<p>It is ${day(account.now())} here.
${button('/clock', 'A day later', { days: '1' })}${button('/clock', 'A month later', { months: '1' })}</p>
<table><tr><th>Customer</th><th>Subscription</th><th>Card</th></tr>${rows.join('')}</table>
<h2>Events</h2><ul>${events.map((one) => `<li>${day(one.created)} ${text(one.type)}</li>`).join('')}</ul>`,
  );
}
