import { Line } from "./line.js";
import { paced } from "./paced.js";
import { asProblem, type Problem } from "./problem.js";
import { Ring, type Ringing } from "./ring.js";
import { type Access, Session } from "./session.js";
import { arrived, own, waits, type AcknowledgedBy, type Listed, type Notification, type Page, type Told } from "./shapes.js";

const PER_PAGE = 30;
const SEEN_MOST = 8;

export interface FeedState {
  status: "starting" | "ready" | "failed";
  /** Why the last attempt to read the feed failed; what is shown may be out of date. */
  problem: Problem | null;
  /** Whether what happens is told at once; null before that was tried. */
  live: boolean | null;
  /** The newest first. */
  items: Notification[];
  /** Whether there are older ones than those. */
  more: boolean;
  ringing: Ringing;
  /** Whether this browser plays sounds at all. */
  sounds: boolean;
}

const BEGINNING: FeedState = {
  status: "starting",
  problem: null,
  live: null,
  items: [],
  more: false,
  ringing: { ids: [], blocked: false },
  sounds: true,
};

/** What one tab tells the others. */
type Hint = { seen: string; read: boolean } | { silenced: string[] } | { sounds: boolean };

/** A person's notifications as they stand, kept up to date: read over HTTP, told by the socket, rung out loud. */
export class Feed {
  readonly session: Session;
  private state: FeedState;
  private readonly watchers = new Set<() => void>();
  private readonly ring: Ring;
  private line: Line | null = null;
  private tabs: BroadcastChannel | null = null;
  private cursor: string | null = null;
  /** Of readings that overlap only the last one counts. */
  private reading = 0;
  private newest: number | null = null;
  private readonly mute: string;
  private readonly seenQueue = paced<{ id: string; read: boolean }>(SEEN_MOST, 1_000, (one) => this.tellSeen(one));

  constructor(access: Access) {
    this.session = new Session(access);
    this.mute = `tocsin.mute.${access.apiKey}`;
    this.state = { ...BEGINNING, sounds: !muted(this.mute) };
    this.ring = new Ring(`tocsin.sound.${access.apiKey}`, (ringing) => this.set({ ringing }));
  }

  readonly get = (): FeedState => this.state;

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  };

  start(): void {
    this.ring.open();
    this.tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel(this.mute) : null;
    this.tabs?.addEventListener("message", ({ data }: MessageEvent<Hint>) => this.hinted(data));
    document.addEventListener("visibilitychange", this.looked);
    this.line = new Line(this.session, {
      up: () => {
        this.set({ live: true });
        void this.refresh();
      },
      down: () => this.set({ live: false }),
      told: (event, data) => this.told(event, data),
    });
    void this.refresh();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.looked);
    this.line?.close();
    this.tabs?.close();
    this.ring.close();
    this.seenQueue.drop();
    this.reading++;
    this.line = this.tabs = null;
  }

  /** Read the first page anew. What was missed and still waits for somebody rings. */
  readonly refresh = async (): Promise<void> => {
    const reading = ++this.reading;
    try {
      const [page, userId] = await Promise.all([this.page(null), this.session.userId()]);
      if (reading === this.reading) this.replace(page, userId);
    } catch (error) {
      if (reading !== this.reading) return;
      this.set({ status: this.state.status === "starting" ? "failed" : this.state.status, problem: asProblem(error) });
    }
  };

  /** The next older ones. */
  readonly loadMore = async (): Promise<void> => {
    if (!this.cursor) return;
    const reading = this.reading;
    try {
      const [page, userId] = await Promise.all([this.page(this.cursor), this.session.userId()]);
      if (reading !== this.reading) return;
      this.cursor = page.nextCursor;
      const known = new Set(this.state.items.map((each) => each.id));
      const older = page.items.filter((each) => !known.has(each.id)).map((each) => own(each, userId));
      this.set({ items: [...this.state.items, ...older], more: this.cursor !== null, problem: null });
    } catch (error) {
      this.set({ problem: asProblem(error) });
    }
  };

  /** The person has had it on the screen. */
  readonly see = (id: string): void => this.markSeen(id, false);

  /** The person has opened it. */
  readonly read = (id: string): void => this.markSeen(id, true);

  readonly readAll = (): void => this.state.items.filter((one) => !one.read).forEach((one) => this.read(one.id));

  /** "Mine": stops it for everybody. Throws Problem. */
  readonly acknowledge = async (id: string): Promise<void> => {
    this.ring.stop(id);
    const [now, userId] = await Promise.all([
      this.session.call<Listed>("PUT", `/notifications/${id}/acknowledge`),
      this.session.userId(),
    ]);
    this.change(id, () => own(now, userId));
  };

  /** Stop ringing in this browser; nobody else notices. */
  readonly silence = (): void => {
    this.hint({ silenced: this.state.ringing.ids });
    this.ring.stopAll();
  };

  readonly playSounds = (sounds: boolean): void => {
    keepMuted(this.mute, !sounds);
    this.hint({ sounds });
    this.set({ sounds });
    if (!sounds) this.silence();
  };

  private page(cursor: string | null): Promise<Page> {
    const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    return this.session.call<Page>("GET", `/notifications?limit=${PER_PAGE}${after}`);
  }

  private replace(page: Page, userId: string): void {
    const before = this.newest;
    const items = merged(this.state.items, page.items.map((each) => own(each, userId)));
    this.cursor = page.nextCursor;
    this.newest = newest(items, before ?? 0);
    this.set({ status: "ready", problem: null, items, more: this.cursor !== null });
    for (const one of items) {
      if (!waits(one)) this.ring.stop(one.id);
      else if (before !== null && (one.seq ?? 0) > before) this.sound(one);
    }
  }

  private told(event: string, data: unknown): void {
    if (event === "notification.created") this.came(arrived(data as Told));
    else if (event === "notification.repeated") this.cameAgain(data as Told);
    else if (event === "notification.acknowledged") {
      const { id, acknowledgedBy } = data as { id: string; acknowledgedBy: AcknowledgedBy[] };
      this.ring.stop(id);
      this.change(id, (one) => ({ ...one, acknowledgedBy }));
    }
  }

  private came(one: Notification): void {
    if (this.state.items.some((each) => each.id === one.id)) return;
    this.newest = Math.max(this.newest ?? 0, one.seq ?? 0);
    this.set({ items: [one, ...this.state.items] });
    this.sound(one);
  }

  private cameAgain(told: Told): void {
    const known = this.state.items.find((each) => each.id === told.id);
    if (!known) return this.came(arrived(told));
    if (waits(known)) this.sound({ ...known, soundUrl: told.soundUrl, silent: told.silent });
  }

  private sound(one: Notification): void {
    if (this.state.sounds && !one.silent && one.soundUrl) this.ring.start(one.id, one.soundUrl, waits(one));
  }

  private markSeen(id: string, read: boolean): void {
    const one = this.state.items.find((each) => each.id === id);
    if (!one || (one.seen && (one.read || !read))) return;
    this.change(id, (now) => ({ ...now, seen: true, read: now.read || read }));
    this.hint({ seen: id, read });
    this.seenQueue.add({ id, read });
  }

  /** Over the socket where there is one. What fails is told by the next reading, as not seen. */
  private tellSeen({ id, read }: { id: string; read: boolean }): void {
    if (this.line?.say("client-seen", { id, read })) return;
    this.session.call("PUT", `/notifications/${id}/seen`, { read }).catch(() => {});
  }

  private hint(hint: Hint): void {
    this.tabs?.postMessage(hint);
  }

  private hinted(hint: Hint): void {
    if ("silenced" in hint) hint.silenced.forEach((id) => this.ring.stop(id));
    else if ("sounds" in hint) this.set({ sounds: hint.sounds });
    else this.change(hint.seen, (one) => ({ ...one, seen: true, read: one.read || hint.read }));
  }

  /** Another device may have seen things meanwhile. */
  private readonly looked = (): void => {
    if (document.visibilityState === "visible") void this.refresh();
  };

  private change(id: string, how: (one: Notification) => Notification): void {
    this.set({ items: this.state.items.map((each) => (each.id === id ? how(each) : each)) });
  }

  private set(part: Partial<FeedState>): void {
    this.state = { ...this.state, ...part };
    for (const watcher of this.watchers) watcher();
  }
}

/** A page, with what was told while it was on its way. */
function merged(known: Notification[], page: Notification[]): Notification[] {
  const last = newest(page, 0);
  const before = new Map(known.map((each) => [each.id, each]));
  return [...known.filter((each) => (each.seq ?? 0) > last), ...page.map((each) => later(before.get(each.id), each))];
}

function later(known: Notification | undefined, read: Notification): Notification {
  if (!known) return read;
  const acknowledgedBy = read.acknowledgedBy.length ? read.acknowledgedBy : known.acknowledgedBy;
  return { ...read, seen: read.seen || known.seen, read: read.read || known.read, acknowledgedBy };
}

const newest = (items: Notification[], least: number): number => Math.max(least, ...items.map((one) => one.seq ?? 0));

function muted(name: string): boolean {
  try {
    return localStorage.getItem(name) !== null;
  } catch {
    return false;
  }
}

function keepMuted(name: string, on: boolean): void {
  try {
    if (on) localStorage.setItem(name, "on");
    else localStorage.removeItem(name);
  } catch {
    // Until the page is left, then.
  }
}
