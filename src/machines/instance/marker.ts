/** Kept in the container's description on Proxmox: whose it is, and of which life of its VMID. */
export const markerOf = (id: string): string => `zpack:${id}`;

/** The instance that a container says it belongs to. Proxmox adds a line break of its own. */
export function readMarker(description: string | null): string | null {
  return /^zpack:(\S+)/m.exec(description ?? '')?.[1] ?? null;
}
