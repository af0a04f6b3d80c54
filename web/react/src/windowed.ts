// Renders only those rows of a long list that are in view.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

/** Additional rows above and below the view. */
const BEYOND = 12;
/** The sizes in pixels if there is no layout. */
const [ROW, VIEW] = [56, 800];

/** React 18 warns about layout effects on a server. */
const useLayout = typeof document === "undefined" ? useEffect : useLayoutEffect;

/** Which rows are rendered, and the space of the others. */
export interface Windowed {
  /** The ref of the scrolling element. */
  ref: (element: HTMLElement | null) => void;
  from: number;
  to: number;
  /** The space above and below, in pixels. */
  before: number;
  after: number;
  /** Whether the last row is near. */
  isAtEnd: boolean;
}

/**
 * Selects the rows to render, which all have the same height. `first` is the key of the newest row: when rows are added
 * above it, the view does not move.
 */
export function useWindowed(count: number, first: string | undefined, indexOf: (first: string) => number): Windowed {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [view, setView] = useState({ top: 0, height: VIEW, row: ROW });
  const read = useCallback(() => {
    if (!element) return;
    const row = element.querySelector<HTMLElement>("[data-row]")?.offsetHeight ?? 0;
    const height = element.clientHeight || VIEW;
    const size = row || ROW;
    // More rows than the view are rendered, so it is enough to react to every fourth row.
    const top = Math.floor(element.scrollTop / size / 4) * 4 * size;
    setView((view) =>
      view.top === top && view.height === height && view.row === size ? view : { top, height, row: size },
    );
  }, [element]);
  useEffect(() => {
    if (!element) return;
    read();
    element.addEventListener("scroll", read, { passive: true });
    const observer = "ResizeObserver" in globalThis ? new ResizeObserver(read) : undefined;
    observer?.observe(element);
    return () => {
      element.removeEventListener("scroll", read);
      observer?.disconnect();
    };
  }, [element, read]);
  const shown = useRef(first);
  useLayout(() => {
    const was = shown.current;
    shown.current = first;
    if (!element || !was || was === first || element.scrollTop === 0) return;
    const added = indexOf(was);
    if (added > 0) element.scrollTop += added * view.row;
  }, [element, first, indexOf, view.row]);
  const from = Math.max(0, Math.floor(view.top / view.row) - BEYOND);
  const to = Math.min(count, Math.ceil((view.top + view.height) / view.row) + BEYOND);
  return {
    ref: setElement,
    from: Math.min(from, to),
    to,
    before: Math.min(from, to) * view.row,
    after: (count - to) * view.row,
    isAtEnd: view.top > 0 && to + BEYOND >= count,
  };
}
