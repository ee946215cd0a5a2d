import { call } from '../api/client.ts';
import type { Billing, Plan } from '../api/schema.ts';
import { Age, Badge, Due } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

const readBoth = async (signal: AbortSignal) => {
  const [billing, { plans }] = await Promise.all([
    call('GET /api/billing', { signal }),
    call('GET /api/billing/plans', { signal }),
  ]);
  return { billing, plans };
};

export function BillingPage() {
  const { value, problem, reload } = useResource('billing', readBoth);
  return (
    <div className="middle">
      <h1>Billing</h1>
      <Problem problem={problem} />
      {value && (
        <>
          <Standing billing={value.billing} plans={value.plans} />
          {value.billing.status !== 'exempt' && (
            <Plans billing={value.billing} plans={value.plans} reload={reload} />
          )}
        </>
      )}
    </div>
  );
}

const nameOf = (plans: readonly Plan[], id: string | null): string =>
  id === null ? 'no plan' : (plans.find((plan) => plan.id === id)?.name ?? id);

function Standing({
  billing,
  plans,
}: {
  readonly billing: Billing;
  readonly plans: readonly Plan[];
}) {
  const { status, plan, limits, used, pendingChange, change, suspendedAt, keptUntil } = billing;
  return (
    <section>
      <h2>
        {plan?.name ?? 'No plan'} <Badge word={status} />{' '}
        {billing.observedAt && <Age at={billing.observedAt} before="asked " />}
      </h2>
      <Use name="Containers" used={used.slots} of={limits?.slots ?? null} unit="" />
      <Use name="Memory" used={used.memoryMiB} of={limits?.memoryMiB ?? null} unit=" MiB" />
      {billing.isOverLimit && <p className="problem">More is used than the plan includes.</p>}
      {billing.trialEnd && (
        <p>
          The trial ends <Due at={billing.trialEnd} />.
        </p>
      )}
      {billing.periodEnd && (
        <p>
          The period that is paid for ends <Due at={billing.periodEnd} />.
        </p>
      )}
      {pendingChange && (
        <p>
          Then it becomes {nameOf(plans, pendingChange.planId)}, <Due at={pendingChange.at} />.
        </p>
      )}
      {change && change.state !== 'succeeded' && (
        <p role="status">
          <Badge word={change.state} /> <Age at={change.finishedAt ?? change.acceptedAt} />{' '}
          {change.kind} to {nameOf(plans, change.planId)}
          {change.error && <>: {change.error.message}</>}
        </p>
      )}
      {suspendedAt && (
        <p className="problem" role="alert">
          Suspended since <Age at={suspendedAt} after="" />: a payment is due.
          {keptUntil && (
            <>
              {' '}
              Everything is deleted <Due at={keptUntil} />.
            </>
          )}
        </p>
      )}
    </section>
  );
}

function Use({
  name,
  used,
  of,
  unit,
}: {
  readonly name: string;
  readonly used: number;
  readonly of: number | null;
  readonly unit: string;
}) {
  const text = of === null ? `${used}${unit}, without a limit` : `${used} of ${of}${unit}`;
  return (
    <p className="use">
      <span>
        {name}: {text}
      </span>
      {of !== null && <meter aria-label={name} min={0} max={Math.max(of, used)} value={used} />}
    </p>
  );
}

function Plans({
  billing,
  plans,
  reload,
}: {
  readonly billing: Billing;
  readonly plans: readonly Plan[];
  readonly reload: () => void;
}) {
  const { isRunning, problem, run } = useSubmission();
  const pays = billing.plan !== null && !billing.plan.isDefault;

  /** Money changes hands at the payment service, not here. */
  const leave = (asked: Promise<{ url: string }>): Promise<void> =>
    asked.then(({ url }) => location.assign(url));

  async function choose(plan: Plan): Promise<void> {
    if (!pays) return leave(call('POST /api/billing/checkout', { body: { plan: plan.id } }));
    const isMore = plan.price > (billing.plan?.price ?? 0);
    const body = { plan: plan.id };
    if (isMore) await call('POST /api/billing/upgrade', { body });
    else if (plan.isDefault) await call('POST /api/billing/downgrade', { body: { plan: null } });
    else await call('POST /api/billing/downgrade', { body });
    reload();
  }

  return (
    <section>
      <h2>Plans</h2>
      <Problem problem={problem} />
      <ul className="plans">
        {plans.map((plan) => (
          <li key={plan.id} aria-current={plan.id === billing.plan?.id}>
            <h3>{plan.name}</h3>
            <p>
              {plan.price === 0 ? 'Free' : `${plan.price} ${plan.currency.toUpperCase()} a month`}
            </p>
            <p className="quiet">
              {plan.slots} {plan.slots === 1 ? 'container' : 'containers'}, {plan.memoryMiB} MiB
            </p>
            {plan.id === billing.plan?.id ? (
              <p>Your plan</p>
            ) : (
              (pays || !plan.isDefault) && (
                <button type="button" disabled={isRunning} onClick={() => run(() => choose(plan))}>
                  Change to {plan.name}
                </button>
              )
            )}
          </li>
        ))}
      </ul>
      <div className="buttons">
        {billing.pendingChange && (
          <button
            type="button"
            disabled={isRunning}
            onClick={() => run(() => call('DELETE /api/billing/downgrade', {}).then(reload))}
          >
            Keep the present plan
          </button>
        )}
        <button
          type="button"
          disabled={isRunning}
          onClick={() => run(() => leave(call('POST /api/billing/portal', {})))}
        >
          Cards and invoices
        </button>
      </div>
    </section>
  );
}
