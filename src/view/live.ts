/** What an agent said last. Whatever it does not know is null. */
export interface AgentNumbers {
  readonly seenAt: number;
  /** When it was asked last, whether it answered or not. */
  readonly askedAt: number;
  readonly condition: string | null;
  readonly players: number | null;
  readonly uptimeSeconds: number | null;
}

/** What Proxmox said last of a container. */
export interface HostNumbers {
  readonly observedAt: number;
  /** Share of its cores, 0 to 1. */
  readonly cpu: number | null;
  /** Bytes. */
  readonly mem: number | null;
  readonly maxmem: number | null;
  readonly disk: number | null;
  /** Seconds. */
  readonly uptime: number | null;
}

export interface LiveNews {
  readonly agents: readonly (readonly [vmid: number, numbers: AgentNumbers])[];
  readonly hosts: readonly (readonly [vmid: number, numbers: HostNumbers])[];
}

/** Numbers that are older than this say nothing of the present. */
export const LIVE_TTL_MS = 60_000;

export interface LiveNumbers {
  readonly agent: AgentNumbers | null;
  readonly host: HostNumbers | null;
  /** When each was heard of last, however long ago. null: never. */
  readonly agentSeenAt: number | null;
  readonly hostObservedAt: number | null;
  /** When the agent was last asked: from then on its silence says something. */
  readonly agentAskedAt: number | null;
}

/** The numbers that change all the time and are part of no state: lost with this process. */
export interface Live {
  take(news: LiveNews): void;
  /** `bornAt`: what is older was said of a former instance with this VMID. */
  of(vmid: number, life: { readonly bornAt: number; readonly now: number }): LiveNumbers;
}

/** Bounded by the VMIDs that are in use, which are used again and again. */
export function createLive(): Live {
  const agents = new Map<number, AgentNumbers>();
  const hosts = new Map<number, HostNumbers>();
  return {
    take(news) {
      for (const [vmid, numbers] of news.agents) {
        if (numbers.askedAt >= (agents.get(vmid)?.askedAt ?? 0)) agents.set(vmid, numbers);
      }
      for (const [vmid, numbers] of news.hosts) {
        if (numbers.observedAt >= (hosts.get(vmid)?.observedAt ?? 0)) hosts.set(vmid, numbers);
      }
    },
    of(vmid, { bornAt, now }) {
      const agent = agents.get(vmid);
      const host = hosts.get(vmid);
      const sinceBirth = (at: number | undefined) => (at !== undefined && at >= bornAt ? at : null);
      const agentSeenAt = sinceBirth(agent?.seenAt);
      const hostObservedAt = sinceBirth(host?.observedAt);
      const isFresh = (at: number | null) => at !== null && now - at < LIVE_TTL_MS;
      return {
        agent: (isFresh(agentSeenAt) && agent) || null,
        host: (isFresh(hostObservedAt) && host) || null,
        agentSeenAt,
        hostObservedAt,
        agentAskedAt: sinceBirth(agent?.askedAt),
      };
    },
  };
}
