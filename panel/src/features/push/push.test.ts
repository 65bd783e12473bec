import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useEnv } from "@/lib/env";
import { useSession } from "@/lib/session";
import { keep } from "@/lib/store";
import { endWithSession, renew, turnOff, usePush } from "./push";

// A page completes the addresses of its calls; the client takes this one when it is loaded.
vi.hoisted(() => {
  const Plain = Request;
  globalThis.Request = class extends Plain {
    constructor(to: string | URL | Request, init?: RequestInit) {
      super(to instanceof Plain ? to : new URL(to, "https://tocsin.example"), init);
    }
  };
});

const HERE = { userId: "ann", addressId: "a1", endpoint: "https://push.example/1" };

/** The browser and the server are the far ends: what they hold, and in which environment the server was asked. */
let subscription: { unsubscribe: () => Promise<boolean> } | null;
let removed: [path: string, env: string | null][];

beforeEach(() => {
  subscribe();
  removed = [];
  const stored = new Map<string, string>();
  vi.stubGlobal("localStorage", { getItem: (name: string) => stored.get(name) ?? null, setItem: (name: string, value: string) => stored.set(name, value), removeItem: (name: string) => stored.delete(name) });
  vi.stubGlobal("location", new URL("https://tocsin.example/panel/"));
  vi.stubGlobal("Notification", { permission: "granted" });
  vi.stubGlobal("window", { PushManager: class {}, Notification: class {} });
  const worker = { pushManager: { getSubscription: async () => subscription } };
  vi.stubGlobal("navigator", { userAgent: "", serviceWorker: { getRegistration: async () => worker } });
  vi.stubGlobal("fetch", answer);
  signIn("ann");
  usePush.setState({ here: HERE });
});
afterEach(() => void vi.unstubAllGlobals());

async function answer(request: Request | string): Promise<Response> {
  if (typeof request === "string") return Response.json({ tokens: { accessToken: "t", refreshToken: "r", expiresIn: 900 } });
  removed.push([new URL(request.url).pathname, request.headers.get("X-Tocsin-Env")]);
  return new Response(null, { status: 204 });
}

function subscribe(): void {
  const unsubscribe = async () => {
    subscription = null;
    return true;
  };
  subscription = { unsubscribe };
}

function signIn(id: string): void {
  keep("refresh", "r");
  useSession.setState({ status: "in", me: { user: { id, env: "live" } } as never });
}

const stands = () => ({ here: usePush.getState().here, subscribed: subscription !== null });
const ENDED = { here: null, subscribed: false };

test("switched off with the switch on Test, the address goes where the person is", async () => {
  useEnv.getState().choose("test");
  await turnOff();
  expect(removed).toEqual([["/api/v1/users/ann/addresses/a1", "live"]]);
  expect(stands()).toEqual(ENDED);
});

test("the address goes though the browser does not unsubscribe", async () => {
  subscription!.unsubscribe = () => Promise.reject(new DOMException("No", "AbortError"));
  await expect(turnOff()).rejects.toThrow("No");
  expect(removed).toHaveLength(1);
});

test("another person ends it in whichever environment, and so does a subscription of nobody", async () => {
  for (const here of [HERE, null]) {
    subscribe();
    usePush.setState({ here });
    useEnv.getState().choose("test");
    await renew("ben");
    expect(stands()).toEqual(ENDED);
  }
  expect(removed).toEqual([]);
});

test("the end of a session ends it, a server that is not reached does not", async () => {
  endWithSession();
  useSession.setState({ status: "out", me: null });
  expect(stands()).toEqual({ here: HERE, subscribed: true });
  keep("refresh", null);
  useSession.setState({ status: "out", me: null });
  await expect.poll(stands).toEqual(ENDED);
});
