/** What a machine remembers, as a list of lists that open and close. */
export function Tree({ value }: { readonly value: object }) {
  return (
    <ul className="tree">
      {Object.entries(value).map(([name, one]) => (
        <li key={name}>
          <Branch name={name} value={one} />
        </li>
      ))}
    </ul>
  );
}

function Branch({ name, value }: { readonly name: string; readonly value: unknown }) {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    return (
      <>
        <span className="key">{name}</span> <Leaf name={name} value={value} />
      </>
    );
  }
  const count = Object.keys(value).length;
  return (
    <details>
      <summary>
        <span className="key">{name}</span>{' '}
        <span className="quiet">{Array.isArray(value) ? `list of ${count}` : briefly(value)}</span>
      </summary>
      <Tree value={value} />
    </details>
  );
}

/** Unix ms of this age of the world: nothing else that a machine remembers is so large. */
const EPOCH_MS = 1_500_000_000_000;

function Leaf({ name, value }: { readonly name: string; readonly value: unknown }) {
  if (typeof value === 'number' && value > EPOCH_MS && /At$|since|deadline/.test(name)) {
    return <time dateTime={new Date(value).toISOString()}>{new Date(value).toLocaleString()}</time>;
  }
  if (typeof value === 'object') return <span className="quiet">{value ? 'nothing' : 'none'}</span>;
  return <code>{String(value)}</code>;
}

const BRIEF_MAX = 40;

function briefly(value: object): string {
  const names = Object.keys(value).join(', ');
  return names.length > BRIEF_MAX ? `${names.slice(0, BRIEF_MAX)}…` : names;
}
