import { useEffect, useLayoutEffect, useRef } from "react";
import type { Place } from "@/lib/long";

/** Of a long list the pages that are held, and the ways to others. */
export interface Held {
  places: Place[];
  leap: (place: Place) => Promise<unknown>;
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  /** Whether nothing more is to be fetched for now. */
  isHeld: boolean;
  fetchNextPage: () => unknown;
  fetchPreviousPage: () => unknown;
}

/** Pixels: what is nearer to the window is fetched. */
const NEAR = 1_200;

/**
 * Lets a table of a few pages be scrolled like the whole list. Pages that were seen leave room as high as they were,
 * above and below. What comes near the window is fetched; to whoever leaps into the room the page that stood there.
 */
export function useRoom(held: Held) {
  const table = useRef<HTMLTableElement>(null);
  const heights = useRef(new Map<number, number>());
  const deepest = useRef<Place>(held.places[0]!);
  const moved = useRef(false);
  const leaping = useRef(false);
  const newest = useRef(held);
  newest.current = held;
  const [first, last] = [held.places[0]!, held.places.at(-1)!];
  if (last.page >= deepest.current.page || !held.hasNextPage) deepest.current = last;
  // With the rows that it stands for, not after them: what is looked at must not move in between.
  const room = { above: high(heights.current, 0, first.page), below: high(heights.current, last.page + 1, deepest.current.page + 1) };

  useLayoutEffect(() => {
    for (const body of bodiesOf(table.current)) heights.current.set(Number(body.dataset.page), body.offsetHeight);
  });

  useEffect(() => {
    const look = () => {
      const { places, leap, ...now } = newest.current;
      const bodies = bodiesOf(table.current);
      if (!bodies.length || now.isHeld || leaping.current) return;
      const top = bodies[0]!.getBoundingClientRect().top;
      const bottom = bodies.at(-1)!.getBoundingClientRect().bottom;
      const place = top > innerHeight ? upwards(places[0]!, heights.current, top) : bottom < 0 ? downwards(places.at(-1)!, deepest.current, heights.current, bottom) : null;
      if (place) {
        leaping.current = true;
        leap(place).finally(() => (leaping.current = false));
      } else if (now.hasPreviousPage && top > -NEAR) now.fetchPreviousPage();
      else if (now.hasNextPage && bottom < innerHeight + NEAR) now.fetchNextPage();
    };
    const scrolled = () => {
      moved.current = true;
      look();
    };
    if (moved.current) look();
    addEventListener("scroll", scrolled, { passive: true });
    return () => removeEventListener("scroll", scrolled);
  });

  return { table, room };
}

const bodiesOf = (table: HTMLTableElement | null): HTMLElement[] => [...(table?.querySelectorAll<HTMLElement>("tbody[data-page]") ?? [])];

function high(heights: Map<number, number>, from: number, to: number): number {
  let all = 0;
  for (let page = from; page < to; page++) all += heights.get(page) ?? 0;
  return all;
}

/** The page above the held ones that reaches the window, whose upper edge is at 0. */
function upwards(first: Place, heights: Map<number, number>, top: number): Place | null {
  let place = first.above;
  for (let edge = top; place?.above; place = place.above) {
    edge -= heights.get(place.page) ?? 0;
    if (edge <= 0) break;
  }
  return place;
}

/** The same below the held ones, from the deepest that was seen. */
function downwards(last: Place, deepest: Place, heights: Map<number, number>, bottom: number): Place | null {
  if (deepest.page <= last.page) return null;
  let place: Place = deepest;
  let edge = bottom + high(heights, last.page + 1, deepest.page + 1);
  while (place.above && place.page > last.page + 1) {
    edge -= heights.get(place.page) ?? 0;
    if (edge <= innerHeight) break;
    place = place.above;
  }
  return place;
}
