import * as Popover from "@radix-ui/react-popover";
import { useRef, useState, type ReactNode } from "react";

import { useInbox } from "./hooks.js";
import { Inbox, type InboxProps } from "./inbox.js";
import { useLedgerbell } from "./provider.js";

/** A bell with the number of unread alerts, which opens the inbox. */
export function Bell(props: InboxProps): ReactNode {
  const { words } = useLedgerbell();
  const { unreadCount } = useInbox();
  const [isOpen, setOpen] = useState(false);
  const panel = useRef<HTMLDivElement>(null);
  const label = unreadCount ? `${words.alerts}, ${words.unread(unreadCount)}` : words.alerts;
  return (
    <div className="lb lb-bell">
      <Popover.Root open={isOpen} onOpenChange={setOpen}>
        <Popover.Trigger type="button" aria-label={label}>
          <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
            <path
              d="M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6Zm-2 16a2 2 0 0 0 4 0"
              fill="none"
              stroke="currentColor"
              strokeWidth="1.8"
              strokeLinecap="round"
              strokeLinejoin="round"
            />
          </svg>
          {unreadCount > 0 && (
            <span className="lb-badge" aria-hidden="true">
              {unreadCount > 99 ? "99+" : unreadCount}
            </span>
          )}
        </Popover.Trigger>
        <Popover.Content
          ref={panel}
          className="lb-panel"
          align="end"
          sideOffset={8}
          collisionPadding={12}
          aria-label={words.alerts}
          tabIndex={-1}
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            panel.current?.focus();
          }}
        >
          <Inbox {...props} />
        </Popover.Content>
      </Popover.Root>
    </div>
  );
}
