// Shows those rows of a long list that are in view.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

/** Rows above and below the view that are shown, too. */
const BEYOND = 12;
/** Where nothing is laid out, in pixels. */
const [ROW, VIEW] = [56, 800];

/** React 18 complains of layout effects on a server. */
const useLayout = typeof document === "undefined" ? useEffect : useLayoutEffect;

/** Which rows are shown, and how much room the others take. */
export interface Windowed {
  /** For the element that scrolls. */
  ref: (element: HTMLElement | null) => void;
  from: number;
  to: number;
  /** Pixels above and below. */
  before: number;
  after: number;
  /** Whether the last row is near. */
  isAtEnd: boolean;
}

/** Rows are of one height. `first` names the newest row: where rows are added above it, what is in view stays where it is. */
export function useWindowed(count: number, first: string | undefined, indexOf: (first: string) => number): Windowed {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [view, setView] = useState({ top: 0, height: VIEW, row: ROW });
  const read = useCallback(() => {
    if (!element) return;
    const row = element.querySelector<HTMLElement>("[data-row]")?.offsetHeight ?? 0;
    const height = element.clientHeight || VIEW;
    const size = row || ROW;
    // Rows beyond the view are shown, so that it is enough to follow every few of them.
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
