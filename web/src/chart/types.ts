/** What `npm run generate` writes of a machine into layout.ts. Lengths are CSS pixels. */

export interface ChartTransition {
  /** The state that has it, below its region: `cloning.pausing`; empty: the whole region has it. */
  readonly from: string;
  /** null: it stays where it is, and only remembers something. */
  readonly to: string | null;
  readonly kind: 'event' | 'wish' | 'deadline' | 'condition';
  /** The event, wish or deadline; null: it happens by itself as soon as its guard holds. */
  readonly on: string | null;
  readonly guard: string | null;
  /** How long a deadline lasts, in words; null: that depends, or it is none. */
  readonly lasts: string | null;
}

/** Indices of transitions that are shown together, as one line or one arrow. */
type Of = { readonly of: readonly number[] };

/** A way out that is written into the box, where its arrow would cross half of the picture. */
export interface ChartExit extends Of {
  readonly to: string;
  readonly text: string;
}

export interface ChartState {
  /** Below its region: `deleting.settling`. */
  readonly path: string;
  readonly name: string;
  /** A chip stands for one of two states of an attempt, a group for states within. */
  readonly shape: 'box' | 'group' | 'chip';
  readonly box: readonly [x: number, y: number, width: number, height: number];
  readonly description: string | null;
  readonly isTransient: boolean;
  readonly isInitial: boolean;
  readonly deadline: string | null;
  readonly exits: readonly ChartExit[];
}

export interface ChartArrow extends Of {
  readonly from: string;
  readonly to: string;
  /** Of an SVG path. */
  readonly d: string;
  readonly label: readonly string[];
  /** The upper corner of the label, on the side of the arrow. */
  readonly at: readonly [x: number, y: number];
  /** That is the right one: the label ends there. */
  readonly isLeft: boolean;
}

export interface ChartRegion {
  readonly name: string;
  readonly size: readonly [width: number, height: number];
  readonly states: readonly ChartState[];
  readonly arrows: readonly ChartArrow[];
  readonly transitions: readonly ChartTransition[];
}
