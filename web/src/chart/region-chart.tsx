import {
  type CSSProperties,
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useRef,
  useState,
} from 'react';

import type { ChartArrow, ChartRegion, ChartState } from './types.ts';
import { waysOf, wordsOf } from './words.ts';

export interface Lit {
  /** The innermost state, now and before the latest step; null: not known. */
  readonly now: string | null;
  readonly before: string | null;
  /** The transitions of that step. */
  readonly taken: readonly number[];
  /** Another step, another value: what moves begins to move anew. */
  readonly step: number;
}

const isWithin = (path: string | null, outer: string): boolean =>
  path !== null && `${path}.`.startsWith(`${outer}.`);

/** One region, with the states that it is in alight. The arrow keys go from state to state. */
export function RegionChart({
  region,
  lit,
  children,
}: {
  readonly region: ChartRegion;
  readonly lit: Lit;
  /** Stands in its title. */
  readonly children: ReactNode;
}) {
  const { name, size, states, arrows } = region;
  const [picked, setPicked] = useState<string | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  useShown(frame, states.find(({ path }) => path === lit.now) ?? null);

  function walk(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const place = states.findIndex(({ path }) => path === (picked ?? lit.now));
    setPicked(states.at((place + step) % states.length)?.path ?? null);
  }

  const isTaken = (of: readonly number[]) => of.some((index) => lit.taken.includes(index));
  const shown = states.find(({ path }) => path === (picked ?? lit.now));
  const shaped = (wanted: ChartState['shape']) =>
    states
      .filter(({ shape }) => shape === wanted)
      .map((state) => (
        <State key={state.path} {...{ region, state, lit, isTaken, picked, setPicked }} />
      ));
  const room = {
    '--good-width': `${size[0] * SCALE_GOOD}px`,
    '--whole-width': `${size[0] + FRAME}px`,
  };
  return (
    <figure className="region" id={`region-${name}`} style={room as CSSProperties}>
      <figcaption>
        <h2>{name}</h2> <span className="quiet">{lit.now ?? 'not known'}</span> {children}
      </figcaption>
      <section
        className="canvas"
        ref={frame}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onKeyDown={walk}
        aria-label={`Chart of ${name}`}
      >
        <svg
          viewBox={`0 0 ${size[0]} ${size[1]}`}
          width={size[0]}
          height={size[1]}
          style={{ minWidth: `${size[0] * SCALE_MIN}px` }}
          role="img"
          aria-label={`${name}: ${lit.now ?? 'not known'}`}
          data-now={lit.now ?? ''}
        >
          {shaped('group')}
          {shaped('box')}
          {arrows.map((arrow) => (
            <Arrow key={arrow.d} {...{ region, arrow }} isTaken={isTaken(arrow.of)} />
          ))}
          {shaped('chip')}
          <Moves key={lit.step} {...{ region, lit }} />
        </svg>
      </section>
      {shown && <Explained region={region} state={shown} />}
    </figure>
  );
}

/** Smaller than this nobody reads it: then the frame scrolls. */
const SCALE_MIN = 0.75;
/** As large as this at least, where another one beside it leaves so much room. */
const SCALE_GOOD = 0.85;
/** What a frame adds to the width of its picture. */
const FRAME = 12;

/** Where the frame is too small for all of it, what is alight is scrolled into it. */
function useShown(frame: { readonly current: HTMLDivElement | null }, state: ChartState | null) {
  useEffect(() => {
    const place = frame.current;
    const picture = place?.firstElementChild;
    if (!place || !picture || !state) return;
    const scale = picture.clientWidth / Number(picture.getAttribute('width'));
    const [x, y, width, height] = state.box.map((length) => length * scale);
    place.scrollTo({
      left: (x ?? 0) + (width ?? 0) / 2 - place.clientWidth / 2,
      top: (y ?? 0) + (height ?? 0) / 2 - place.clientHeight / 2,
      behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth',
    });
  }, [frame, state]);
}

function State({
  region,
  state,
  lit,
  isTaken,
  picked,
  setPicked,
}: {
  readonly region: ChartRegion;
  readonly state: ChartState;
  readonly lit: Lit;
  readonly isTaken: (of: readonly number[]) => boolean;
  readonly picked: string | null;
  readonly setPicked: (path: string) => void;
}) {
  const { path, name, shape, box, isTransient, isInitial, deadline, exits } = state;
  const [x, y, width, height] = box;
  const words = [
    ...['state', shape],
    ...(isTransient ? ['transient'] : []),
    ...(isWithin(lit.now, path) ? ['active'] : []),
    ...(isWithin(lit.before, path) && !isWithin(lit.now, path) ? ['was'] : []),
    ...(picked === path ? ['picked'] : []),
  ];
  const first = y + (hasChips(region, state) ? 52 : 24) + 11;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the frame do the same
    <g className={words.join(' ')} data-state={path} onClick={() => setPicked(path)}>
      <rect x={x} y={y} width={width} height={height} rx={shape === 'chip' ? 11 : 7} />
      {isInitial && shape !== 'chip' && <circle className="initial" cx={x} cy={y + 14} r={4} />}
      <text
        className="name"
        x={x + (shape === 'chip' ? width / 2 : 9)}
        y={y + (shape === 'chip' ? 15 : 17)}
      >
        {name}
      </text>
      {deadline !== null && shape !== 'chip' && (
        <text className="deadline" x={x + width - 8} y={y + 17}>
          {`≤ ${deadline}`}
        </text>
      )}
      {exits.map(({ text, of }, index) => (
        <text
          key={text}
          className={isTaken(of) ? 'exit taken' : 'exit'}
          x={x + 9}
          y={first + index * 15}
        >
          {text}
          <title>{waysOf(region, of)}</title>
        </text>
      ))}
    </g>
  );
}

const hasChips = ({ states }: ChartRegion, { path, shape }: ChartState): boolean =>
  shape === 'box' && states.some((one) => one.shape === 'chip' && one.path.startsWith(`${path}.`));

function Arrow({
  region,
  arrow: { d, label, at, isLeft, of },
  isTaken,
}: {
  readonly region: ChartRegion;
  readonly arrow: ChartArrow;
  readonly isTaken: boolean;
}) {
  return (
    <g className={isTaken ? 'arrow taken' : 'arrow'}>
      <path className="near" d={d} />
      <path className="line" d={d} />
      <path className="head" d={headOf(d)} />
      {label.map((line, index) => (
        <text key={line} className={isLeft ? 'ends' : ''} x={at[0]} y={at[1] + 10 + index * 13}>
          {line}
        </text>
      ))}
      <title>{waysOf(region, of)}</title>
    </g>
  );
}

const numbersOf = (d: string): number[] => (d.match(/-?[\d.]+/g) ?? []).map(Number);

/** A marker does not take the colour of its line everywhere, so the head is a path of its own. */
function headOf(d: string): string {
  const [fromX = 0, fromY = 0, x = 0, y = 0] = numbersOf(d).slice(-4);
  const length = Math.hypot(x - fromX, y - fromY) || 1;
  const [dx, dy] = [(x - fromX) / length, (y - fromY) / length];
  const [backX, backY] = [x - dx * 7, y - dy * 7];
  return `M${x} ${y}L${backX - dy * 3.5} ${backY + dx * 3.5}L${backX + dy * 3.5} ${backY - dx * 3.5}Z`;
}

/** What the latest step did, drawn over the rest: along its arrows, or across where there is none. */
function Moves({ region, lit }: { readonly region: ChartRegion; readonly lit: Lit }) {
  if (lit.before === null || lit.now === null || lit.before === lit.now) return null;
  const ways = lit.taken.flatMap(
    (index) => region.arrows.find(({ of }) => of.includes(index)) ?? [],
  );
  const paths = ways.map(({ d }) => d);
  const isAcross = ways.length < lit.taken.length || lit.taken.length === 0;
  const jump = isAcross ? acrossOf(region, lit.before, lit.now) : null;
  return (
    <g className="moves">
      {[...(jump === null ? [] : [jump]), ...paths].map((d) => (
        <g key={d} className={d === jump ? 'across' : ''}>
          <path d={d} pathLength={1} />
          <circle r={5} style={{ offsetPath: `path("${d}")` }} />
        </g>
      ))}
    </g>
  );
}

/** A bow from the one box to the other. */
function acrossOf({ states }: ChartRegion, before: string, now: string): string | null {
  const [from, to] = [before, now].map((path) => states.find((one) => one.path === path)?.box);
  if (!from || !to) return null;
  const [startX, startY] = [from[0] + from[2] / 2, from[1] + from[3] / 2];
  const [endX, endY] = [to[0] + to[2] / 2, to[1] + to[3] / 2];
  const [bowX, bowY] = [(startY - endY) / 5, (endX - startX) / 5];
  const [middleX, middleY] = [(startX + endX) / 2 + bowX, (startY + endY) / 2 + bowY];
  return `M${startX} ${startY}Q${middleX} ${middleY} ${endX} ${endY}`;
}

/** The same as text: of the state that was picked, or else of the one that it is in. */
function Explained({
  region,
  state,
}: {
  readonly region: ChartRegion;
  readonly state: ChartState;
}) {
  const { path, deadline } = state;
  // What is within another state and has no words of its own is a detail of that one.
  const around = region.states.filter((one) => isWithin(path, one.path));
  const description = around.findLast((one) => one.description !== null)?.description;
  const ways = region.transitions.filter(({ from }) => from === path || isWithin(path, from));
  return (
    <details className="explained">
      <summary>
        <code>{path}</code> {description}
        {deadline !== null && <span className="quiet">, at most {deadline}</span>}
      </summary>
      <ul>
        {ways.map((way, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two may say the same
          <li key={index}>
            {wordsOf(way)}
            {way.from !== path && <span className="quiet"> (of {way.from || region.name})</span>}
          </li>
        ))}
        {ways.length === 0 && <li>Nothing leads out of it.</li>}
      </ul>
    </details>
  );
}
