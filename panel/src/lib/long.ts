import { hashKey, type InfiniteData, type QueryClient, type QueryKey, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
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
  options: { refetchInterval?: number | ((query: { state: { data?: InfiniteData<Page<T>> } }) => number | false) } = {},
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
  const id = hashKey(key);
  useWholeTop(places[0]?.page ?? 0, query.refetch);
  useEffect(() => () => cutBack(client, key), [client, id]);
  const leap = (place: Place) => leapTo(client, key, place, load);
  const pages = query.data?.pages.map((page) => page.items) ?? [];
  return { ...query, items: pages.flat(), long: { id, pages, places, leap } };
}

/** What was deep in a list begins anew when somebody comes back: how high the rows above stood is forgotten by then. */
export function cutBack(client: QueryClient, queryKey: QueryKey): void {
  const held = client.getQueryData<InfiniteData<unknown, Place>>(queryKey);
  if (held?.pageParams[0]?.page) client.removeQueries({ queryKey, exact: true });
}

/**
 * Holds the page of this place alone, or the error of asking for it. A list that was put aside meanwhile, as when
 * somebody else signs in or the environment is switched, is given nothing; what was due to be read again still is.
 */
export async function leapTo<T>(client: QueryClient, queryKey: QueryKey, place: Place, load: (cursor: string | undefined) => Promise<Page<T>>): Promise<void> {
  const list = { queryKey, exact: true };
  const query = client.getQueryCache().find(list);
  const stands = () => query !== undefined && client.getQueryCache().find(list) === query;
  try {
    const page = await load(place.cursor);
    const isDue = client.isFetching(list) > 0;
    await client.cancelQueries(list);
    if (!stands()) return;
    client.setQueryData<InfiniteData<Page<T>, Place>>(queryKey, { pages: [page], pageParams: [place] });
    if (isDue) void client.invalidateQueries(list);
  } catch (error) {
    if (stands()) query!.setState({ status: "error", error: error as Error });
  }
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
