import { useState } from 'react';

import { call } from '../api/client.ts';
import type { Account, Catalogue } from '../api/schema.ts';
import { Choice, Field, Form } from '../parts/field.tsx';
import { Problem } from '../parts/problem.tsx';
import { go, hrefOf } from '../router.ts';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

const KINDS = { game: 'Game server', dev: 'Development container' } as const;
type Kind = keyof typeof KINDS;

const keyBytes = 16;

/** The same order, sent again because its answer was lost, is done once. */
const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(keyBytes))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');

export function CreatePage({ account }: { readonly account: Account }) {
  const { value, problem } = useResource('catalogue', (signal) =>
    call('GET /api/catalogue', { signal }),
  );
  return (
    <div className="narrow">
      <h1>New server</h1>
      <Problem problem={problem} />
      {value && <Order catalogue={value} isAdmin={account.role === 'admin'} />}
    </div>
  );
}

type Answers = Readonly<Record<string, string>>;

const numbersOf = (text: string): number[] =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);

function toOrder(kind: Kind, answers: Answers) {
  const { game = '', variant = '', runtime = '', version = '', world, ports = '' } = answers;
  const common = {
    version,
    memoryMiB: Number(answers['memoryMiB']),
    cpuCores: Number(answers['cpuCores']),
    ...(answers['customerId'] && { customerId: answers['customerId'] }),
  };
  if (kind === 'dev') return { ctype: 'dev', runtime, ...common } as const;
  const named = numbersOf(ports);
  const more = { ...(world && { world }), ...(named.length > 0 && { ports: named }) };
  return { ctype: 'game', game, variant, ...more, ...common } as const;
}

function Order({
  catalogue,
  isAdmin,
}: {
  readonly catalogue: Catalogue;
  readonly isAdmin: boolean;
}) {
  const { isRunning, problem, run } = useSubmission();
  const [kind, setKind] = useState<Kind>('game');
  const [sent, setSent] = useState({ order: '', key: '' });

  async function send(answers: Answers): Promise<void> {
    const body = toOrder(kind, answers);
    const order = JSON.stringify(body);
    const key = order === sent.order ? sent.key : newKey();
    setSent({ order, key });
    const headers = { 'idempotency-key': key };
    const { vmid } = await call('POST /api/instances', { body, headers });
    go(hrefOf('servers', vmid));
  }

  return (
    <Form onSend={(answers) => run(() => send(answers))} aria-label="New server">
      <fieldset>
        <legend>What shall it be?</legend>
        {Object.entries(KINDS).map(([name, text]) => (
          <label key={name} className="option">
            <input
              type="radio"
              name="kind"
              value={name}
              checked={kind === name}
              onChange={() => setKind(name as Kind)}
            />
            {text}
          </label>
        ))}
      </fieldset>
      {kind === 'game' ? <GameFields catalogue={catalogue} /> : <DevFields catalogue={catalogue} />}
      <div className="pair">
        <Field
          label="Memory, in MiB"
          name="memoryMiB"
          type="number"
          {...catalogue.memoryMiB}
          defaultValue={2_048}
          required
        />
        <Field
          label="Cores"
          name="cpuCores"
          type="number"
          min={catalogue.cpuCores.min}
          max={catalogue.cpuCores.max}
          defaultValue={catalogue.cpuCores.default}
          required
        />
      </div>
      {isAdmin && (
        <Field label="For whom" name="customerId" hint="Id of an account; empty: yours" />
      )}
      <Problem problem={problem} />
      <button type="submit" className="main" disabled={isRunning}>
        Create
      </button>
    </Form>
  );
}

function GameFields({ catalogue: { games, version, ports } }: { readonly catalogue: Catalogue }) {
  const [id, setId] = useState(games[0]?.id ?? '');
  const game = games.find((one) => one.id === id);
  return (
    <>
      <div className="pair">
        <Choice
          label="Game"
          name="game"
          options={games.map((one) => one.id)}
          value={id}
          onChange={setId}
        />
        <Choice key={id} label="Variant" name="variant" options={game?.variants ?? []} />
      </div>
      <Field label="Version" name="version" pattern={version} placeholder="1.21.4" required />
      <div className="pair">
        <Field label="World" name="world" hint="Its name; empty: the usual one" />
        <Field
          label="Ports"
          name="ports"
          pattern="[\d\s,]*"
          hint={`Empty: ${game?.port}; at most ${ports.most}, by comma`}
        />
      </div>
    </>
  );
}

function DevFields({ catalogue: { runtime, version } }: { readonly catalogue: Catalogue }) {
  return (
    <div className="pair">
      <Field label="Runtime" name="runtime" pattern={runtime} placeholder="node" required />
      <Field label="Version" name="version" pattern={version} placeholder="24" required />
    </div>
  );
}
