import { create } from "zustand";
import { keep, kept } from "@/lib/store";

interface Ring {
  on: boolean;
  /** The browser has refused: it plays nothing before somebody touches the page. */
  blocked: boolean;
}

/** Whether arrivals are heard in this browser. */
export const useRing = create<Ring>(() => ({ on: kept("sound") !== "off", blocked: false }));

const LOCK = "tocsin.sound";
const LATE_MS = 10_000;
const SAME_MS = 5_000;
const STAGGER_MS = 250;
const TOUCHES = ["pointerdown", "keydown"];

const ringing = new Map<string, AbortController>();

/** By hand, which is the touch that a browser waits for. */
export function turn(on: boolean): void {
  keep("sound", on ? null : "off");
  useRing.setState({ blocked: false });
  turned(on);
}

function turned(on: boolean): void {
  useRing.setState({ on });
  if (!on) hush();
}

globalThis.addEventListener?.("storage", ({ key, newValue }) => {
  if (key === "tocsin.sound") turned(newValue !== "off");
});

/**
 * Plays the sound of a notification, in one of the tabs that hear of it. They take turns; the first that may play does,
 * and the others find that it was played. What had to wait so long that nobody would know why it sounds is left out.
 */
export function ring(id: string, address: string): void {
  hush(id);
  if (!useRing.getState().on) return;
  const control = new AbortController();
  const { signal } = control;
  const came = Date.now();
  ringing.set(id, control);
  inTurn(signal, async () => {
    const known = Date.now() - came > LATE_MS || lastPlayed(id) > came - SAME_MS;
    if (!known && !signal.aborted) await played(id, address, signal);
  })
    .catch(() => {}) // silenced while it waited
    .finally(() => ringing.get(id) === control && ringing.delete(id));
}

/** Silence: of one notification, or of all. */
export function hush(id?: string): void {
  for (const [each, control] of ringing) if (!id || each === id) control.abort();
}

/** One tab after the other. Without locks (plain http) the one in front comes first. */
async function inTurn(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  if (navigator.locks) return void (await navigator.locks.request(LOCK, { signal }, work));
  await new Promise((done) => setTimeout(done, (document.hidden ? 2 : Math.random()) * STAGGER_MS));
  return work();
}

function played(id: string, address: string, signal: AbortSignal): Promise<void> {
  const audio = new Audio(address);
  return new Promise((done) => {
    const end = () => {
      audio.pause();
      done();
    };
    signal.addEventListener("abort", end);
    audio.addEventListener("ended", end);
    audio.addEventListener("error", end);
    audio.play().then(() => remember(id), (error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError") waitForTouch();
      end();
    });
  });
}

function waitForTouch(): void {
  useRing.setState({ blocked: true });
  for (const kind of TOUCHES) addEventListener(kind, touched);
}

/** A touch of the switch itself is left to it: whoever goes there to hear something must not switch it off. */
function touched({ target }: Event): void {
  if (target instanceof Element && target.closest(".sound-switch")) return;
  useRing.setState({ blocked: false });
  for (const kind of TOUCHES) removeEventListener(kind, touched);
}

function lastPlayed(id: string): number {
  return memory()[id] ?? 0;
}

/** For the other tabs. Only what is so new that one of them may still be about to play it. */
function remember(id: string): void {
  const now = Date.now();
  const recent = Object.entries(memory()).filter(([, at]) => at > now - LATE_MS - SAME_MS);
  keep("played", JSON.stringify({ ...Object.fromEntries(recent), [id]: now }));
}

function memory(): Record<string, number> {
  return JSON.parse(kept("played") ?? "{}") as Record<string, number>;
}
