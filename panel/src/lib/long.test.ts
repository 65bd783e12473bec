import { type InfiniteData, InfiniteQueryObserver, QueryClient } from "@tanstack/react-query";
import { afterEach, expect, test } from "vitest";
import { cutBack, leapTo, type Place } from "./long";
import type { Page } from "./queries";

const KEY = ["users", "list"];
const TOP: Place = { cursor: undefined, page: 0, row: 0, above: null };
const DEEP: Place = { cursor: "c5", page: 5, row: 250, above: TOP };

const client = new QueryClient();
afterEach(() => client.clear());

const page = (...items: string[]): Page<string> => ({ items, nextCursor: null });
const hold = (place: Place, of: Page<string>) => client.setQueryData(KEY, { pages: [of], pageParams: [place] });
const held = () => client.getQueryData<InfiniteData<Page<string>, Place>>(KEY);

/** What an answer waits for. */
function later<T>() {
  let give!: (value: T) => void;
  return { comes: new Promise<T>((done) => (give = done)), give };
}

test("a list that was left deep down begins anew, one that was left at its top is still there", () => {
  hold(TOP, page("ann"));
  cutBack(client, KEY);
  expect(held()?.pages).toEqual([page("ann")]);
  hold(DEEP, page("zoe"));
  cutBack(client, KEY);
  expect(held()).toBeUndefined();
});

test("a leap holds the page of its place alone", async () => {
  hold(TOP, page("ann"));
  await leapTo(client, KEY, DEEP, async (cursor) => page(`after ${cursor}`));
  expect(held()).toEqual({ pages: [page("after c5")], pageParams: [DEEP] });
});

test("what was put aside meanwhile is given nothing, nor is what stands in its place", async () => {
  for (const next of [undefined, page("of somebody else")]) {
    hold(TOP, page("ann"));
    const { comes, give } = later<Page<string>>();
    const leap = leapTo(client, KEY, DEEP, () => comes);
    client.clear();
    if (next) hold(TOP, next);
    give(page("zoe"));
    await leap;
    expect(held()?.pages).toEqual(next && [next]);
  }
});

test("a leap that fails is an error of the list, which keeps its rows until it is read again", async () => {
  hold(TOP, page("ann"));
  await leapTo(client, KEY, DEEP, () => Promise.reject(new Error("The server is away.")));
  expect(client.getQueryState(KEY)).toMatchObject({ status: "error", error: new Error("The server is away.") });
  expect(held()?.pages).toEqual([page("ann")]);
});

test("what was due to be read again while somebody leapt is read again after it", async () => {
  hold(TOP, page("ann"));
  const reads: (string | undefined)[] = [];
  const first = later<Page<string>>();
  const list = new InfiniteQueryObserver(client, {
    queryKey: KEY,
    queryFn: async ({ pageParam }) => {
      reads.push((pageParam as Place).cursor);
      return reads.length === 1 ? first.comes : page("zoe, renamed");
    },
    initialPageParam: TOP,
    getNextPageParam: () => undefined,
    staleTime: Infinity,
  });
  const end = list.subscribe(() => {});
  const { comes, give } = later<Page<string>>();
  const leap = leapTo(client, KEY, DEEP, () => comes);
  void client.invalidateQueries({ queryKey: KEY });
  give(page("zoe"));
  await leap;
  await expect.poll(() => held()?.pages).toEqual([page("zoe, renamed")]);
  expect(reads).toEqual([undefined, "c5"]);
  end();
});
