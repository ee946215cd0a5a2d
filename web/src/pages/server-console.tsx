import { type FormEvent, useLayoutEffect, useRef, useState } from 'react';

import { Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { useConsole } from '../state/console.ts';

/** Whoever has scrolled less far up than this wants to see what comes. */
const NEAR_PX = 40;

const WORDS: Readonly<Record<string, string>> = {
  suspended: 'a payment is due',
  revoked: 'the sign-in has ended',
  auth_expired: 'the sign-in has ended',
  deleted: 'the container is gone',
};

/** What the game says, and what is said to it. */
export function ConsoleTab({ id }: { readonly id: number }) {
  const { state, reason, lines, problem, refusal, type } = useConsole(id);
  const [command, setCommand] = useState('');
  const log = useRef<HTMLPreElement>(null);
  const isNear = useRef(true);

  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines are the reason to scroll
  useLayoutEffect(() => {
    if (isNear.current) log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [lines]);

  function send(event: FormEvent): void {
    event.preventDefault();
    if (command.trim() !== '' && type(command.trim())) setCommand('');
  }

  return (
    <>
      <p className="console-state">
        <Badge word={state} />
        {reason !== null && <span> {WORDS[reason] ?? reason}</span>}
      </p>
      <Problem problem={problem} />
      <pre
        className="console"
        role="log"
        aria-label="Console"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
        tabIndex={0}
        ref={log}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isNear.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
        }}
      >
        {lines.map(({ text }) => `${text}\n`).join('')}
      </pre>
      <form className="console-form" onSubmit={send}>
        <label htmlFor="command">Command</label>
        <input
          id="command"
          autoComplete="off"
          spellCheck={false}
          maxLength={1_000}
          value={command}
          onChange={({ target }) => setCommand(target.value)}
        />
        <button type="submit" disabled={state !== 'live'}>
          Send
        </button>
      </form>
      {refusal !== null && <p role="alert">Not typed: {refusal}</p>}
    </>
  );
}
