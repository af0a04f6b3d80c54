import { useEffect, useId, useRef, useState, type ReactNode } from "react";

import { useInbox } from "./hooks.js";
import { Inbox, type InboxProps } from "./inbox.js";
import { useLedgerbell } from "./provider.js";

/** A bell with the number of unread alerts, which opens the inbox. */
export function Bell(props: InboxProps): ReactNode {
  const { words } = useLedgerbell();
  const { unreadCount } = useInbox();
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    if (!isOpen) return;
    panel.current?.focus();
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [isOpen]);

  const label = unreadCount ? `${words.alerts}, ${words.unread(unreadCount)}` : words.alerts;
  return (
    <div
      ref={root}
      className="lb lb-bell"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !isOpen) return;
        setOpen(false);
        button.current?.focus();
      }}
    >
      <button
        ref={button}
        type="button"
        aria-label={label}
        aria-expanded={isOpen}
        aria-haspopup="dialog"
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
      >
        <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
          <path
            d="M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6Zm-2 16a2 2 0 0 0 4 0"
            fill="none"
            stroke="currentColor"
            strokeWidth="2"
            strokeLinejoin="round"
          />
        </svg>
        {unreadCount > 0 && (
          <span className="lb-badge" aria-hidden="true">
            {unreadCount > 99 ? "99+" : unreadCount}
          </span>
        )}
      </button>
      {isOpen && (
        <div ref={panel} id={id} className="lb-panel" role="dialog" aria-label={words.alerts} tabIndex={-1}>
          <Inbox {...props} />
        </div>
      )}
    </div>
  );
}
