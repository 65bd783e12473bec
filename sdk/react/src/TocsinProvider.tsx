import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Feed, type FeedState } from "./feed.js";
import { BrowserPush, type PushStanding } from "./push.js";
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
  /** Where your page serves `push-worker.js` of this package; then people can be told while no page is open. */
  pushWorker?: string;
  words?: Partial<Words>;
  /** In which dates are written, `de-AT`; the browser's without it. */
  locale?: string;
  children?: ReactNode;
}

interface Given {
  feed: Feed;
  push: BrowserPush | null;
  words: Words;
  locale: string | undefined;
}

const Context = createContext<Given | null>(null);

/**
 * Holds one person's connection to Tocsin for everything inside it. Give it a `key` that changes with the person, so
 * that whoever signs in next begins anew.
 */
export function TocsinProvider({ url, apiKey, getToken, token, pushWorker, words, locale, children }: TocsinProviderProps) {
  const newest = useRef({ getToken, token });
  newest.current = { getToken, token };
  const feed = useMemo(() => new Feed({ url, apiKey, getToken: () => identity(newest.current) }), [url, apiKey]);
  const push = useMemo(() => (pushWorker ? new BrowserPush(feed.session, pushWorker) : null), [feed, pushWorker]);
  useEffect(() => {
    feed.start();
    return () => feed.stop();
  }, [feed]);
  useEffect(() => void push?.renew().catch(() => {}), [push]); // else on the next page
  const given = useMemo(() => ({ feed, push, words: { ...english, ...words }, locale }), [feed, push, words, locale]);
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

/** Whether this browser tells the person things while no page is open, and a switch for it; `turn` from a click. */
export function usePush(): { standing: PushStanding; turn: (on: boolean) => Promise<void> } {
  const { push } = useGiven();
  const [standing, setStanding] = useState<PushStanding>(push ? "unknown" : "unsupported");
  useEffect(() => {
    let over = false;
    push?.look().then((found) => over || setStanding(found)).catch(() => {}); // looked at again on the next page
    return () => void (over = true);
  }, [push]);
  const turn = useCallback(
    async (on: boolean) => {
      if (push) setStanding(await (on ? push.turnOn() : push.turnOff()));
    },
    [push],
  );
  return { standing, turn };
}

/** Ends the session of this browser, which is told nothing any more; call it where your own sign-out is. */
export function useSignOut(): () => Promise<void> {
  const { feed, push } = useGiven();
  return async () => {
    await push?.turnOff().catch(() => {});
    await feed.session.end();
  };
}
