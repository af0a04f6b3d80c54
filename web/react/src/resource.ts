// Connects followed data to components.
import { useMemo, useSyncExternalStore } from "react";

import type { Resource } from "./follow.js";
import type { Followed } from "./model.js";

/** Returns the state of a resource, kept up to date while the component is mounted. */
export function useResource<Data, Event>(resource: Resource<Data, Event>): Followed<Data> & { refresh: () => void } {
  const state = useSyncExternalStore(resource.subscribe, resource.getSnapshot, resource.getSnapshot);
  return useMemo(() => ({ ...state, refresh: () => resource.refresh() }), [state, resource]);
}
