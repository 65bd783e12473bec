import { hashKey, type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { Page } from "./queries";

/** How many pages in a row are held. What is beyond is read again when somebody goes there. */
const MOST_PAGES = 3;

/** Where a page begins, and which one is above it: the way back up is not the server's to know. */
export interface Place {
  cursor: string | undefined;
  page: number;
  /** How many rows stand above it. */
  row: number;
  above: Place | null;
}

const TOP: Place = { cursor: undefined, page: 0, row: 0, above: null };

/** A list that may be very long, of which a few pages are held; `Listing` lets it be scrolled like all of it. */
export function useLong<T>(
  key: readonly unknown[],
  load: (cursor: string | undefined, signal?: AbortSignal) => Promise<Page<T>>,
  options: { refetchInterval?: number } = {},
) {
  const client = useQueryClient();
  const query = useInfiniteQuery<Page<T>, Error, InfiniteData<Page<T>, Place>, readonly unknown[], Place>({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => load(pageParam.cursor, signal),
    initialPageParam: TOP,
    getNextPageParam: (last: Page<T>, _, place) => below(last, place),
    getPreviousPageParam: (_, __, place) => place.above ?? undefined,
    maxPages: MOST_PAGES,
    ...options,
  });
  const places = query.data?.pageParams ?? [];
  useWholeTop(places[0]?.page ?? 0, query.refetch);

  /** Holds the page of this place alone. */
  async function leap(place: Place): Promise<void> {
    await client.cancelQueries({ queryKey: key });
    const page = await load(place.cursor);
    client.setQueryData<InfiniteData<Page<T>, Place>>(key, { pages: [page], pageParams: [place] });
  }
  const pages = query.data?.pages.map((page) => page.items) ?? [];
  return { ...query, items: pages.flat(), long: { id: hashKey(key), pages, places, leap } };
}

function below<T>({ items, nextCursor }: Page<T>, place: Place): Place | undefined {
  return nextCursor === null ? undefined : { cursor: nextCursor, page: place.page + 1, row: place.row + items.length, above: place };
}

/** What is new at the top stands before what was read below it: back there, all that is held is read again. */
function useWholeTop(page: number, refetch: () => unknown): void {
  const before = useRef(page);
  useEffect(() => {
    if (page === 0 && before.current > 0) void refetch();
    before.current = page;
  }, [page, refetch]);
}
