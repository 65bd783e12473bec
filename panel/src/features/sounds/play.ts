import { create } from "zustand";
import { playable } from "@/lib/playable";

/** The address of the sound that plays; one at a time. */
export const usePlaying = create<{ url: string | null }>(() => ({ url: null }));

const audio = globalThis.Audio ? new Audio() : null;

for (const end of ["ended", "pause", "error"]) audio?.addEventListener(end, () => usePlaying.setState({ url: null }));

/** Plays a sound from its beginning, or ends it where it is the one that plays. Raises where the browser cannot. */
export async function toggle(url: string): Promise<void> {
  const plays = usePlaying.getState().url === url;
  stop();
  if (plays || !audio) return;
  audio.src = url.startsWith("blob:") ? url : playable(url);
  usePlaying.setState({ url });
  await audio.play().catch((error: unknown) => {
    // Another one was asked for before this had begun.
    if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
  });
}

export function stop(): void {
  audio?.pause();
  usePlaying.setState({ url: null });
}

/** How far it is, between 0 and 1. */
export function progress(): number {
  return audio && audio.duration > 0 ? audio.currentTime / audio.duration : 0;
}
