import { useEffect, useId, useRef, useState } from "react";
import { bell } from "./icons.js";
import { Inbox, type InboxProps } from "./Inbox.js";
import { useGiven, useNotifications, useUnread } from "./TocsinProvider.js";

export interface NotificationBellProps extends Omit<InboxProps, "headingRef"> {
  /** At which end of the bell the inbox opens: `end` where the bell stands at the end of a line. */
  align?: "start" | "end";
}

/** A bell with the number of what is new; a click opens the inbox beside it. */
export function NotificationBell({ align = "end", className = "", ...inbox }: NotificationBellProps) {
  const { words } = useGiven();
  const { ringing, live } = useNotifications();
  const { count, more } = useUnread();
  const { open, setOpen, root, button, heading } = useOpen();
  const dialog = useId();
  const unseen = count > 0 ? words.unseen(count, more) : "";
  return (
    <div className={`tocsin tocsin-bell ${className}`} ref={root} data-align={align}>
      <button
        type="button"
        ref={button}
        className="tocsin-button"
        aria-label={unseen ? `${words.notifications}, ${unseen}` : words.notifications}
        aria-expanded={open}
        aria-controls={open ? dialog : undefined}
        aria-haspopup="dialog"
        data-ringing={ringing.ids.length > 0 || undefined}
        data-live={live || undefined}
        onClick={() => setOpen(!open)}
      >
        {bell}
        {count > 0 && (
          <span className="tocsin-count" aria-hidden="true">
            {more ? `${count}+` : count}
          </span>
        )}
      </button>
      <Announced unseen={unseen} />
      {open && (
        <div role="dialog" id={dialog} aria-label={words.notifications} className="tocsin-popover">
          <Inbox {...inbox} headingRef={heading} />
        </div>
      )}
    </div>
  );
}

/** What a screen reader says unasked: how many are new, and by title only what rings. */
function Announced({ unseen }: { unseen: string }) {
  const { items, ringing } = useNotifications();
  const titles = items.filter((one) => ringing.ids.includes(one.id)).map((one) => one.title);
  return (
    <>
      <span className="tocsin-unsighted" role="status">
        {unseen}
      </span>
      <span className="tocsin-unsighted" role="alert">
        {titles.join(", ")}
      </span>
    </>
  );
}

/** Open with the focus inside; Escape and a click elsewhere close it, Escape back to the bell. */
function useOpen() {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    if (!open) return;
    heading.current?.focus();
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      button.current?.focus();
    };
    const clicked = ({ target }: Event) => {
      if (target instanceof Node && target.isConnected && !root.current?.contains(target)) setOpen(false);
    };
    document.addEventListener("keydown", pressed);
    document.addEventListener("pointerdown", clicked);
    return () => {
      document.removeEventListener("keydown", pressed);
      document.removeEventListener("pointerdown", clicked);
    };
  }, [open]);

  return { open, setOpen, root, button, heading };
}
