// How Apollo Client's cache keeps what Ledgerbell answers: new InMemoryCache({ typePolicies }).
// Most types have an `id` and are kept under it. Those without one belong to their parent; see README.md beside this file.

/** A list that grows by pages. Its place in the stream stays the one of its first page, which no later page moves. */
const pages = (...keyArgs) => ({
  keyArgs,
  merge(existing, incoming, { args }) {
    if (!existing || (!args?.after && !args?.before)) return incoming;
    const joined = (name) => {
      if (!incoming[name]) return {};
      const [first, second] = args.before ? [incoming, existing] : [existing, incoming];
      return { [name]: [...(first[name] ?? []), ...(second[name] ?? [])] };
    };
    const pageInfo = args.before
      ? { ...existing.pageInfo, startCursor: incoming.pageInfo?.startCursor, hasPreviousPage: incoming.pageInfo?.hasPreviousPage }
      : { ...existing.pageInfo, endCursor: incoming.pageInfo?.endCursor, hasNextPage: incoming.pageInfo?.hasNextPage };
    return {
      ...incoming,
      ...joined("nodes"),
      ...joined("edges"),
      ...joined("items"),
      ...(existing.liveCursor ? { liveCursor: existing.liveCursor } : {}),
      ...(incoming.pageInfo ? { pageInfo } : {}),
    };
  },
});

export const typePolicies = {
  // Who is signed in: there is one.
  Viewer: { keyFields: [] },
  // Its id is for filters. A key acts on behalf of one member here and of another there, so an actor belongs to its entry.
  Actor: { keyFields: false },
  Account: {
    fields: {
      creditLog: pages("filter", "order"),
      sessions: pages("filter", "orderBy", "order"),
      topUps: pages("filter", "order"),
      alerts: pages("filter"),
      members: pages("search", "externalIds", "roles", "includeRemoved"),
      creditLots: pages("includeSpent"),
      creditUsage: pages("filter", "groupBy", "timezone"),
      // A balance has a version: an answer that was under way does not set it back.
    },
  },
  Balance: {
    merge(existing, incoming, { readField, mergeObjects }) {
      const version = (balance) => BigInt(readField("version", balance) ?? 0);
      return existing && version(incoming) < version(existing) ? existing : mergeObjects(existing, incoming);
    },
  },
  Member: {
    fields: {
      alerts: pages("filter"),
      deliveries: pages("filter"),
    },
  },
  NotificationAddress: {
    fields: {
      deliveries: pages("filter"),
    },
  },
};
