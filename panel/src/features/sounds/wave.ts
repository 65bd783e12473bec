import { playable } from "@/lib/playable";

export const BARS = 44;
const RATE = 8_000;

/** How loud a sound is, from 0 to 1, in as many parts as there are bars. Raises what the browser cannot read. */
export async function loudness(url: string): Promise<number[]> {
  const answer = await fetch(playable(url));
  const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await answer.arrayBuffer());
  return bars(decoded.getChannelData(0));
}

export function bars(samples: Float32Array): number[] {
  const width = Math.max(1, samples.length / BARS);
  const peaks = Array.from({ length: BARS }, (_, bar) => {
    const part = samples.subarray(Math.floor(bar * width), Math.floor((bar + 1) * width));
    return part.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  });
  const loudest = Math.max(...peaks) || 1;
  return peaks.map((peak) => peak / loudest);
}
