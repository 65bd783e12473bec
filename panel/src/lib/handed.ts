import { useEffect, useState } from "react";

let held: { id: string; secret: string } | null = null;

/** A secret that an answer showed once, for the page of what it belongs to. In memory alone: a reload has forgotten it. */
export function handOver(id: string, secret: string | null): void {
  held = secret ? { id, secret } : null;
}

/** The secret that was handed over for this page, as long as it is open. */
export function useHanded(id: string): string | undefined {
  const [secret] = useState(() => (held?.id === id ? held.secret : undefined));
  useEffect(() => handOver(id, null), [id]);
  return secret;
}
