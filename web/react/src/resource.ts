// What is read and followed, in components.
import { useMemo, useSyncExternalStore } from "react";

import type { Resource } from "./follow.js";
import type { Followed } from "./model.js";

/** Shows a resource, kept up to date while the component is there. */
export function useResource<Data, Event>(resource: Resource<Data, Event>): Followed<Data> & { refresh: () => void } {
  const state = useSyncExternalStore(resource.subscribe, resource.getSnapshot, resource.getSnapshot);
  return useMemo(() => ({ ...state, refresh: () => resource.refresh() }), [state, resource]);
}
