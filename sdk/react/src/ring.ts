const RING_MS = 60_000;
const PAUSE_MS = 700;

interface Wanted {
  url: string;
  insists: boolean;
  until: number;
}

export interface Ringing {
  /** What rings until somebody acknowledges it, the newest last. */
  ids: string[];
  /** It cannot be heard before somebody clicks or presses a key: browsers want that. */
  blocked: boolean;
}

/**
 * Plays sounds one at a time. What waits for an acknowledgement is played again and again, a minute at most.
 *
 * Of all tabs one plays: the first in which somebody has clicked holds a lock for as long as it is open.
 */
export class Ring {
  private readonly wanted = new Map<string, Wanted>();
  private audio: HTMLAudioElement | null = null;
  private playing: string | null = null;
  private leads = false;
  private touched = false;
  private elsewhere = false;
  private release: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly lock: string,
    private readonly changed: (ringing: Ringing) => void,
  ) {}

  /** Listen for the gesture that browsers want before anything is heard. */
  open(): void {
    if (navigator.userActivation?.hasBeenActive) return this.touch();
    for (const event of GESTURES) addEventListener(event, this.touch, { capture: true });
  }

  close(): void {
    for (const event of GESTURES) removeEventListener(event, this.touch, { capture: true });
    this.stopAll();
    this.release?.();
    this.release = null;
    this.touched = this.leads = false;
  }

  start(id: string, url: string, insists: boolean): void {
    if (!insists && !this.leads) return;
    this.wanted.set(id, { url, insists, until: Date.now() + RING_MS });
    if (this.playing === null || insists) this.next(id);
    this.tell();
    if (!this.touched) void this.look();
  }

  stop(id: string): void {
    if (!this.wanted.delete(id)) return;
    if (this.playing === id || this.playing === null) this.next();
    this.tell();
  }

  stopAll(): void {
    this.wanted.clear();
    this.next();
    this.tell();
  }

  private readonly touch = (): void => {
    if (this.touched) return;
    this.touched = true;
    for (const event of GESTURES) removeEventListener(event, this.touch, { capture: true });
    if (navigator.locks) void navigator.locks.request(this.lock, () => this.lead());
    else void this.lead();
    this.tell();
  };

  /** Held until this tab closes. */
  private lead(): Promise<void> {
    this.leads = this.touched;
    this.next();
    return new Promise((done) => {
      if (this.leads) this.release = done;
      else done();
    });
  }

  /** Whether another tab plays, so that nobody is asked to click here. */
  private async look(): Promise<void> {
    const held = (await navigator.locks?.query())?.held ?? [];
    this.elsewhere = held.some((each) => each.name === this.lock);
    this.tell();
  }

  private next(first?: string): void {
    clearTimeout(this.timer);
    this.audio?.pause();
    this.audio = null;
    this.playing = null;
    const id = first ?? [...this.wanted.keys()].at(-1);
    const one = id === undefined ? undefined : this.wanted.get(id);
    if (id === undefined || !one) return;
    if (this.leads) this.play(id, one);
    else this.timer = setTimeout(() => this.stop(id), one.until - Date.now());
  }

  private play(id: string, one: Wanted): void {
    this.playing = id;
    const audio = (this.audio = new Audio(one.url));
    const done = () => this.audio === audio && this.played(id, one);
    audio.addEventListener("ended", done);
    audio.addEventListener("error", done);
    audio.play().catch(done);
  }

  private played(id: string, one: Wanted): void {
    if (!one.insists || Date.now() + PAUSE_MS > one.until) return this.stop(id);
    this.timer = setTimeout(() => this.next(id), PAUSE_MS);
  }

  private tell(): void {
    const ids = [...this.wanted].filter(([, one]) => one.insists).map(([id]) => id);
    this.changed({ ids, blocked: ids.length > 0 && !this.touched && !this.elsewhere });
  }
}

const GESTURES = ["pointerdown", "keydown"] as const;
