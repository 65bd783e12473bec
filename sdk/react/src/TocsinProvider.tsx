import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { Feed, type FeedState } from "./feed.js";
import { english, type Words } from "./words.js";

export interface TocsinProviderProps {
  /** The installation's address, `https://tocsin.example.com`. */
  url: string;
  /** The project's public key, `pk_live_...` or `pk_test_...`. */
  apiKey: string;
  /** Fetches a new identity token, signed by your backend, whenever one is needed. */
  getToken?: () => Promise<string>;
  /** Instead: one identity token. The session goes on for as long as it can be renewed. */
  token?: string;
  words?: Partial<Words>;
  /** In which dates are written, `de-AT`; the browser's without it. */
  locale?: string;
  children?: ReactNode;
}

interface Given {
  feed: Feed;
  words: Words;
  locale: string | undefined;
}

const Context = createContext<Given | null>(null);

/**
 * Holds one person's connection to Tocsin for everything inside it. Give it a `key` that changes with the person, so
 * that whoever signs in next begins anew.
 */
export function TocsinProvider({ url, apiKey, getToken, token, words, locale, children }: TocsinProviderProps) {
  const newest = useRef({ getToken, token });
  newest.current = { getToken, token };
  const feed = useMemo(() => new Feed({ url, apiKey, getToken: () => identity(newest.current) }), [url, apiKey]);
  useEffect(() => {
    feed.start();
    return () => feed.stop();
  }, [feed]);
  const given = useMemo(() => ({ feed, words: { ...english, ...words }, locale }), [feed, words, locale]);
  return <Context.Provider value={given}>{children}</Context.Provider>;
}

async function identity({ getToken, token }: Pick<TocsinProviderProps, "getToken" | "token">): Promise<string> {
  const given = getToken ? await getToken() : token;
  if (!given) throw new Error("TocsinProvider needs getToken or token.");
  return given;
}

export function useGiven(): Given {
  const given = useContext(Context);
  if (!given) throw new Error("This has to stand inside a <TocsinProvider>.");
  return given;
}

function useFeed(): FeedState {
  const { feed } = useGiven();
  return useSyncExternalStore(feed.watch, feed.get, feed.get);
}

/** The person's notifications, and what can be done with them. */
export function useNotifications(): FeedState &
  Pick<Feed, "refresh" | "loadMore" | "see" | "read" | "readAll" | "acknowledge" | "silence" | "playSounds"> {
  const { feed } = useGiven();
  const { refresh, loadMore, see, read, readAll, acknowledge, silence, playSounds } = feed;
  return { ...useFeed(), refresh, loadMore, see, read, readAll, acknowledge, silence, playSounds };
}

/** How many the person has not seen, of those that are loaded; `more` where older ones may be among them. */
export function useUnread(): { count: number; more: boolean } {
  const { items, more } = useFeed();
  const count = items.filter((one) => !one.seen).length;
  return { count, more: more && count === items.length && count > 0 };
}

/** Ends the session of this browser; call it where your own sign-out is. */
export function useSignOut(): () => Promise<void> {
  const { feed } = useGiven();
  return () => feed.session.end();
}
