/** The unique id of a Proxmox task. It names the node the task runs on, and so where to ask. */
export type Upid = string;

export interface UpidParts {
  readonly node: string;
  readonly pid: number;
  readonly pstart: number;
  /** Seconds since 1970, by that node's clock. */
  readonly starttime: number;
  readonly type: string;
  /** What the task works on: mostly a VMID, and of a clone that of the source. May be empty. */
  readonly id: string;
  /** `user@realm`, or `user@realm!token` where a token asked for it. */
  readonly user: string;
}

const NODE = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const STAMPS = '([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8})';
const UPID = new RegExp(String.raw`^UPID:(${NODE}):${STAMPS}:([^:\s/]+):([^:\s/]*):([^:\s/]+):$`);

/** The parts of a UPID, or null if the text is none. */
export function parseUpid(text: string): UpidParts | null {
  const match = UPID.exec(text);
  if (!match) return null;
  const [, node = '', pid = '', pstart = '', starttime = '', type = '', id = '', user = ''] = match;
  const number = (hex: string) => Number.parseInt(hex, 16);
  return {
    node,
    pid: number(pid),
    pstart: number(pstart),
    starttime: number(starttime),
    type,
    id,
    user,
  };
}

/** The inverse of {@link parseUpid}, in the upper case that Proxmox writes. */
export function formatUpid({ node, pid, pstart, starttime, type, id, user }: UpidParts): Upid {
  const stamp = [pid, pstart, starttime].map((n) => n.toString(16).toUpperCase().padStart(8, '0'));
  return `UPID:${node}:${stamp.join(':')}:${type}:${id}:${user}:`;
}
