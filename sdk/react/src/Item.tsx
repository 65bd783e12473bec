import { useEffect, useRef, useState } from "react";
import { asProblem } from "./problem.js";
import { type Notification, waits } from "./shapes.js";
import { useGiven, useNotifications } from "./TocsinProvider.js";
import { ago, exact } from "./when.js";

const SEEN_AFTER_MS = 800;
const OPENED = new Set(["http:", "https:", "mailto:", "tel:"]);

interface Props {
  one: Notification;
  onOpen?: ((one: Notification) => void) | undefined;
}

/** One notification. It counts as seen once it stood on the screen for a moment. */
export function Item({ one, onOpen }: Props) {
  const { words, locale } = useGiven();
  const { see, ringing } = useNotifications();
  const element = useRef<HTMLLIElement>(null);
  const { id, seen } = one;
  const urgent = words.priority[one.priority];
  useEffect(() => (seen || !element.current ? undefined : whenShown(element.current, () => see(id))), [id, seen, see]);
  return (
    <li
      ref={element}
      className="tocsin-item"
      data-unread={!one.read || undefined}
      data-priority={one.priority}
      data-ringing={ringing.ids.includes(id) || undefined}
    >
      <div className="tocsin-head">
        {!one.read && <span className="tocsin-dot" role="img" aria-label={words.unread} />}
        <Title one={one} onOpen={onOpen} />
        <time dateTime={one.createdAt} title={exact(one.createdAt, locale)}>
          {ago(one.createdAt, locale)}
        </time>
      </div>
      {(urgent || one.message) && (
        <p className="tocsin-message">
          {urgent && <span className="tocsin-urgent">{urgent}</span>} {one.message}
        </p>
      )}
      <Acknowledgement one={one} />
    </li>
  );
}

/** A link where it leads somewhere, else a button where opening it does something, else words. */
function Title({ one, onOpen }: Props) {
  const { words } = useGiven();
  const { read } = useNotifications();
  const url = safe(one.action?.url);
  const opened = () => {
    read(one.id);
    onOpen?.(one);
  };
  if (url) {
    const hint = one.action?.label ?? words.open;
    return (
      <a className="tocsin-title" href={url} onClick={opened}>
        {one.title} <span className="tocsin-hint">{hint}</span>
      </a>
    );
  }
  return (
    <button type="button" className="tocsin-title" onClick={opened}>
      {one.title}
    </button>
  );
}

function Acknowledgement({ one }: { one: Notification }) {
  const { words, locale } = useGiven();
  const { acknowledge } = useNotifications();
  const [problem, setProblem] = useState<string | null>(null);
  const [asking, setAsking] = useState(false);
  const take = async () => {
    setAsking(true);
    setProblem(null);
    await acknowledge(one.id).catch((error: unknown) => setProblem(asProblem(error).message));
    setAsking(false);
  };
  if (one.acknowledgedBy.length) {
    return (
      <ul className="tocsin-acknowledged">
        {one.acknowledgedBy.map((by) => (
          <li key={`${by.userId} ${by.at}`} title={exact(by.at, locale)}>
            {words.acknowledged(by.name ?? words.somebody, ago(by.at, locale))}
          </li>
        ))}
      </ul>
    );
  }
  if (!waits(one)) return null;
  return (
    <>
      <button type="button" className="tocsin-acknowledge" aria-label={words.acknowledgeOf(one.title)} disabled={asking} onClick={take}>
        {words.acknowledge}
      </button>
      {problem && (
        <p className="tocsin-problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

function whenShown(element: Element, work: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const observer = new IntersectionObserver(
    ([entry]) => {
      clearTimeout(timer);
      if (entry?.isIntersecting) timer = setTimeout(work, SEEN_AFTER_MS);
    },
    { threshold: 0.5 },
  );
  observer.observe(element);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
  };
}

/** Addresses come from templates, which may hold what customers typed: no scripts. */
function safe(url: string | undefined): string | null {
  if (!url) return null;
  try {
    return OPENED.has(new URL(url, location.href).protocol) ? url : null;
  } catch {
    return null;
  }
}
