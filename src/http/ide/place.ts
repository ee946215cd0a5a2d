import type { IncomingMessage } from 'node:http';

/** Where a browser sees an IDE. */
export interface IdePlace {
  readonly vmid: number;
  /** What stands before the container's own paths: `/__ide/42`, or nothing at a name of its own. */
  readonly prefix: string;
  /** The path and query that the container is asked for. */
  readonly path: string;
}

export interface IdePlaces {
  /** null: this is about no IDE. `nowhere`: it is, and there can be none. */
  find(request: Pick<IncomingMessage, 'url' | 'headers'>): IdePlace | 'nowhere' | null;
  /** Where it is opened, with a token. */
  urlOf(vmid: number, token: string, asked: AskedPlace): string;
}

export interface AskedPlace {
  /** Where this was asked for. */
  readonly host: string;
  /** Of somebody else's container: its pages are kept out of the API's origin where they can be. */
  readonly isForeign: boolean;
}

export interface PlaceOptions {
  /** undefined: wherever it was asked. */
  readonly publicUrl: string | undefined;
  /** IDEs have names of their own below this. */
  readonly hostSuffix: string | undefined;
  /** Lead to those. */
  readonly returnsHosted: boolean;
}

const TUNNEL = '/__ide';
const IN_TUNNEL = /^\/__ide\/([1-9]\d{2,8})(?:(?=\?)|$|\/)/;
/** The parameter by which a token comes. */
export const TOKEN_PARAMETER = 'token';

/** Two ways to one IDE: below a path of ours, and at a name of its own. */
export function createIdePlaces({ publicUrl, hostSuffix, returnsHosted }: PlaceOptions): IdePlaces {
  const hosted =
    hostSuffix === undefined
      ? null
      : new RegExp(`^dev-([1-9]\\d{2,8})\\.${RegExp.escape(hostSuffix)}\\.?(?::\\d{1,5})?$`, 'i');

  return {
    find({ url = '/', headers: { host = '' } }) {
      const vmid = hosted?.exec(host)?.[1];
      if (vmid !== undefined) {
        return isPath(url) ? { vmid: Number(vmid), prefix: '', path: url } : 'nowhere';
      }
      if (!isBelow(TUNNEL, url)) return null;
      const found = IN_TUNNEL.exec(url);
      if (!found || !isPath(url)) return 'nowhere';
      const prefix = `${TUNNEL}/${found[1]}`;
      return { vmid: Number(found[1]), prefix, path: url.slice(prefix.length) };
    },
    urlOf(vmid, token, { host, isForeign }) {
      const url = new URL(publicUrl ?? `http://${host}`);
      const isHosted = hostSuffix !== undefined && (returnsHosted || isForeign);
      if (isHosted) url.hostname = `dev-${vmid}.${hostSuffix}`;
      url.pathname = isHosted ? '/' : `${TUNNEL}/${vmid}/`;
      url.search = new URLSearchParams({ [TOKEN_PARAMETER]: token }).toString();
      return url.href;
    },
  };
}

const isBelow = (prefix: string, url: string): boolean =>
  url.startsWith(prefix) && /^[/?]?$/.test(url.charAt(prefix.length));

/** What is no path, or cannot be read as one, would be understood differently by whoever reads it. */
const isPath = (url: string): boolean =>
  url.startsWith('/') && URL.canParse(url, 'http://container');
