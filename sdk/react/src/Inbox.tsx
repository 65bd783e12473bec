import { type ReactNode, type Ref, useEffect, useId, useReducer, useState } from "react";
import { back, readAll as readAllIcon, sliders, soundOff, soundOn } from "./icons.js";
import { Item } from "./Item.js";
import { PreferencesPanel } from "./PreferencesPanel.js";
import type { Notification } from "./shapes.js";
import { useGiven, useNotifications } from "./TocsinProvider.js";

export interface InboxProps {
  /** When a title is clicked: go to what it is about. */
  onOpen?: (one: Notification) => void;
  /** The channels that people may switch off. */
  channels?: string[];
  className?: string;
  /** The heading, to put the focus there. */
  headingRef?: Ref<HTMLHeadingElement>;
}

const CHANNELS = ["push", "email", "sms"];

/** The list of one's notifications, with its preferences behind a button. */
export function Inbox({ onOpen, channels = CHANNELS, className = "", headingRef }: InboxProps) {
  const { words } = useGiven();
  const [choosing, setChoosing] = useState(false);
  const { sounds, playSounds, readAll, items } = useNotifications();
  const heading = useId();
  return (
    <section className={`tocsin tocsin-inbox ${className}`} aria-labelledby={heading}>
      <div className="tocsin-bar">
        <h2 id={heading} ref={headingRef} tabIndex={-1}>
          {choosing ? words.settings : words.notifications}
        </h2>
        {!choosing && items.some((one) => !one.read) && (
          <Tool label={words.readAll} work={readAll}>
            {readAllIcon}
          </Tool>
        )}
        <Tool label={sounds ? words.soundsOn : words.soundsOff} work={() => playSounds(!sounds)}>
          {sounds ? soundOn : soundOff}
        </Tool>
        <Tool label={choosing ? words.back : words.settings} work={() => setChoosing(!choosing)}>
          {choosing ? <span className="tocsin-back">{back}</span> : sliders}
        </Tool>
      </div>
      {choosing ? <PreferencesPanel channels={channels} /> : <Notifications onOpen={onOpen} />}
    </section>
  );
}

function Tool({ label, work, children }: { label: string; work: () => void; children: ReactNode }) {
  return (
    <button type="button" className="tocsin-tool" aria-label={label} title={label} onClick={work}>
      {children}
    </button>
  );
}

function Notifications({ onOpen }: Pick<InboxProps, "onOpen">) {
  const { words } = useGiven();
  const { status, problem, live, items, more, ringing, refresh, loadMore, silence } = useNotifications();
  const { shown, held, hold, release } = useHeld(items);
  useEachMinute();
  if (status === "starting") return <Starting />;
  if (status === "failed") return <Refused detail={problem?.message ?? ""} again={refresh} />;
  return (
    <>
      {ringing.ids.length > 0 && (
        <div className="tocsin-note">
          <span>{ringing.blocked ? words.clickToHear : words.rings}</span>
          <button type="button" onClick={silence}>
            {words.silence}
          </button>
        </div>
      )}
      <p className="tocsin-note" role="status" hidden={live !== false && !problem}>
        {problem ? words.stale : live === false ? words.offline : ""}
      </p>
      <div className="tocsin-scroll" onPointerEnter={(event) => event.pointerType === "mouse" && hold()} onPointerLeave={release}>
        {held > 0 && (
          <button type="button" className="tocsin-held" onClick={release}>
            {words.arrived(held)}
          </button>
        )}
        {shown.length === 0 && <Empty />}
        <ol className="tocsin-list" role="list">
          {shown.map((one) => (
            <Item key={one.id} one={one} onOpen={onOpen} />
          ))}
        </ol>
        {more && (
          <button type="button" className="tocsin-older" onClick={() => void loadMore()}>
            {words.older}
          </button>
        )}
      </div>
    </>
  );
}

/** "3 min. ago" is true for a minute. */
function useEachMinute(): void {
  const [, tick] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const timer = setInterval(tick, 60_000);
    return () => clearInterval(timer);
  }, []);
}

/** While the pointer is over the list nothing moves under it: what arrives waits above. */
function useHeld(items: Notification[]) {
  const [top, setTop] = useState<string | null>(null);
  const held = top === null ? 0 : Math.max(0, items.findIndex((one) => one.id === top));
  return { shown: items.slice(held), held, hold: () => setTop(items[0]?.id ?? null), release: () => setTop(null) };
}

function Starting() {
  const { words } = useGiven();
  return (
    <div className="tocsin-state" aria-busy="true">
      <p>{words.loading}</p>
    </div>
  );
}

function Refused({ detail, again }: { detail: string; again: () => Promise<void> }) {
  const { words } = useGiven();
  return (
    <div className="tocsin-state" role="alert">
      <strong>{words.failed}</strong>
      <p>{detail}</p>
      <button type="button" onClick={() => void again()}>
        {words.again}
      </button>
    </div>
  );
}

function Empty() {
  const { words } = useGiven();
  return (
    <div className="tocsin-state">
      <strong>{words.empty}</strong>
      <p>{words.emptyMore}</p>
    </div>
  );
}
