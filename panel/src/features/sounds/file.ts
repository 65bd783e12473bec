import { t } from "@/lib/t";

export const MOST_BYTES = 5 * 1024 * 1024;
const LONGEST_NAME = 63;

/** What a sound may be called that was in such a file: `Oven alarm (2).wav` is `oven_alarm_2`. */
export function nameOf(file: string): string {
  const words = file
    .replace(/\.[^.]*$/, "")
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "");
  return words.slice(0, LONGEST_NAME);
}

export function size(bytes: number): string {
  return bytes < 1024 * 1024 ? t("{n} kB", { n: Math.ceil(bytes / 1024) }) : t("{n} MB", { n: (bytes / 1024 / 1024).toFixed(1) });
}
