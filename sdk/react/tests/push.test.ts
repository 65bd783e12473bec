import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BrowserPush } from "../src/push.js";
import { Session } from "../src/session.js";

/** What a browser subscribes with; of two projects, and of the page's own Web Push. */
const [ACME, GLOBEX, PAGES] = ["QUNNRQ", "R0xPQkVY", "UEFHRVM"] as const;

class Subscription {
  unsubscribe = vi.fn(async () => {
    this.of.subscription = null;
    return true;
  });
  constructor(
    private readonly of: Registration,
    readonly endpoint: string,
    private readonly key: string,
  ) {}
  get options() {
    return { applicationServerKey: Uint8Array.from(atob(this.key), (one) => one.charCodeAt(0)).buffer };
  }
  toJSON = () => ({ endpoint: this.endpoint });
}

let made = 0;

class Registration {
  subscription: Subscription | null = null;
  active = { state: "activated" };
  constructor(readonly scope: string) {}
  pushManager = {
    getSubscription: async () => this.subscription,
    subscribe: async ({ applicationServerKey }: { applicationServerKey: string }) => (this.subscription = new Subscription(this, `https://push.example/${made++}`, applicationServerKey)),
  };
}

/** The browser and the API are the far ends: what they hold is what is looked at. */
let registrations: Registration[];
let addresses: string[];
let isOnline: boolean;

beforeEach(() => {
  registrations = [];
  addresses = [];
  isOnline = true;
  const stored = new Map<string, string>();
  vi.stubGlobal("location", new URL("https://shop.example/orders"));
  vi.stubGlobal("localStorage", { getItem: (name: string) => stored.get(name) ?? null, setItem: (name: string, value: string) => stored.set(name, value), removeItem: (name: string) => stored.delete(name) });
  vi.stubGlobal("Notification", { permission: "granted", requestPermission: async () => "granted" });
  vi.stubGlobal("window", { PushManager: class {}, Notification: class {} });
  vi.stubGlobal("navigator", { serviceWorker: { register: async (url: string) => registered(new URL(".", url).href), getRegistration: nearest } });
  vi.stubGlobal("fetch", answer);
});
afterEach(() => void vi.unstubAllGlobals());

function registered(scope: string): Registration {
  const known = registrations.find((one) => one.scope === scope);
  if (!known) registrations.push(new Registration(scope));
  return known ?? registrations.at(-1)!;
}

/** As browsers do: the one whose scope holds the address by the most letters. */
async function nearest(url: string): Promise<Registration | undefined> {
  const holding = registrations.filter(({ scope }) => url.startsWith(scope));
  return holding.sort((one, other) => other.scope.length - one.scope.length)[0];
}

let keyOfProject: string = ACME;

async function answer(url: URL, { method = "GET" }: RequestInit): Promise<Response> {
  if (!isOnline) throw new TypeError("Failed to fetch");
  const { pathname } = url;
  if (/\/(users\/register|auth\/refresh)$/.test(pathname)) return Response.json({ tokens: { accessToken: token("ann"), refreshToken: "r", expiresIn: 900 } });
  if (pathname.endsWith("/web-push")) return Response.json({ publicKey: keyOfProject });
  const id = pathname.split("/").at(-1)!;
  if (method === "DELETE") addresses = addresses.filter((each) => each !== id);
  if (method === "DELETE") return new Response(null, { status: 204 });
  if (method === "POST") return Response.json({ id: addresses[addresses.push(`a${made++}`) - 1] });
  return Response.json(addresses.map((each) => ({ id: each })));
}

const token = (sub: string) => `e30.${Buffer.from(JSON.stringify({ sub })).toString("base64url")}.x`;

function pushOf(apiKey = "pk_live_acme", worker = "/tocsin-push.js"): BrowserPush {
  return new BrowserPush(new Session({ url: "https://tocsin.example", apiKey, getToken: async () => token("ann") }), worker);
}

async function on(push = pushOf()): Promise<BrowserPush> {
  keyOfProject = ACME;
  await push.look();
  expect(await push.turnOn()).toBe("on");
  return push;
}

function ofThePage(scope = "https://shop.example/"): Subscription {
  const registration = registered(scope);
  return (registration.subscription = new Subscription(registration, "https://push.example/page", PAGES));
}

test("switched on and off, browser and server hold one, and none", async () => {
  const push = await on();
  expect(registrations[0]!.subscription?.endpoint).toMatch(/^https/);
  expect(addresses).toHaveLength(1);
  expect(await push.turnOff()).toBe("off");
  expect([registrations[0]!.subscription, addresses]).toEqual([null, []]);
});

test("the page's own subscription is neither taken nor ended", async () => {
  const theirs = ofThePage();
  const push = pushOf();
  expect([await push.look(), await push.turnOn(), await push.turnOff()]).toEqual(["taken", "taken", "off"]);
  expect(theirs.unsubscribe).not.toHaveBeenCalled();
  expect(registrations[0]!.subscription).toBe(theirs);
  expect(addresses).toEqual([]);
});

test("where the page subscribed over ours, our address goes and its subscription stays", async () => {
  await on();
  const theirs = ofThePage();
  expect(await pushOf().look()).toBe("taken");
  expect(registrations[0]!.subscription).toBe(theirs);
  expect(addresses).toEqual([]);
});

test("beside the page's own worker, one in a folder of its own has a subscription of its own", async () => {
  const theirs = ofThePage();
  const push = await on(pushOf("pk_live_acme", "/tocsin/push-worker.js?page=/"));
  await push.turnOff();
  expect(registrations.map(({ scope, subscription }) => [scope, subscription])).toEqual([
    ["https://shop.example/", theirs],
    ["https://shop.example/tocsin/", null],
  ]);
});

test("two projects on one worker do not take the browser from each other", async () => {
  await on();
  const acmes = registrations[0]!.subscription;
  keyOfProject = GLOBEX;
  const other = pushOf("pk_live_globex");
  expect([await other.look(), await other.turnOn(), await other.turnOff()]).toEqual(["taken", "taken", "off"]);
  expect(registrations[0]!.subscription).toBe(acmes);
});

test("another key of the same project replaces what was subscribed with the one before", async () => {
  await on();
  const before = registrations[0]!.subscription;
  keyOfProject = GLOBEX;
  expect(await pushOf().look()).toBe("on");
  expect(registrations[0]!.subscription?.endpoint).not.toBe(before!.endpoint);
  expect(addresses).toHaveLength(1);
});

test("off is off where only one side is reached, and is not where neither is", async () => {
  const offline = await on();
  isOnline = false;
  expect(await offline.turnOff()).toBe("off");
  expect(registrations[0]!.subscription).toBe(null);
  isOnline = true;
  const stuck = await on();
  const refuse = () => registrations[0]!.subscription!.unsubscribe.mockRejectedValueOnce(new DOMException("No", "AbortError"));
  refuse();
  isOnline = false;
  await expect(stuck.turnOff()).rejects.toMatchObject({ code: "unreachable" });
  isOnline = true;
  expect(await stuck.look()).toBe("on");
  refuse();
  expect(await stuck.turnOff()).toBe("off");
});

test("a page that the worker is not for is told so, and waits for nothing", async () => {
  const push = pushOf("pk_live_acme", "/tocsin/push-worker.js");
  await push.look();
  await expect(push.turnOn()).rejects.toMatchObject({ code: "outside_scope" });
  expect(registrations).toEqual([]);
});
