export interface Registered {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** What the proxy knows, with the rules of Velocity: a name is one server, whatever its case. */
export interface Registry {
  /** `taken`: the name belongs to another address, which must be unregistered first. */
  register(server: Registered): 'registered' | 'duplicate' | 'taken';
  /** The one that is gone; undefined if there was none. */
  unregister(name: string): Registered | undefined;
  find(name: string): Registered | undefined;
  list(): readonly Registered[];
  clear(): void;
}

export function createRegistry(): Registry {
  const servers = new Map<string, Registered>();
  const keyOf = (name: string) => name.toLowerCase();

  return {
    register(server) {
      const known = servers.get(keyOf(server.name));
      if (known) {
        const isSame = known.address === server.address && known.port === server.port;
        return isSame ? 'duplicate' : 'taken';
      }
      servers.set(keyOf(server.name), server);
      return 'registered';
    },
    unregister(name) {
      const known = servers.get(keyOf(name));
      servers.delete(keyOf(name));
      return known;
    },
    find: (name) => servers.get(keyOf(name)),
    list: () => [...servers.values()],
    clear: () => servers.clear(),
  };
}
