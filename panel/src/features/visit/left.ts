/** Seconds as a clock that runs down shows them: 29:05. */
export function left(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
