/** Parts of a page, each with an address of its own. */
export function Tabs({
  label,
  tabs,
  current,
}: {
  readonly label: string;
  readonly tabs: readonly { readonly name: string; readonly text: string; readonly href: string }[];
  readonly current: string;
}) {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map(({ name, text, href }) => (
        <a key={name} href={href} aria-current={name === current ? 'page' : undefined}>
          {text}
        </a>
      ))}
    </nav>
  );
}
