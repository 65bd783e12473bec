import { beforeEach, expect, test, vi } from "vitest";
import { env, follow, settle, unsettle, useEnv } from "./env";

beforeEach(() => {
  const stored = new Map<string, string>();
  vi.stubGlobal("localStorage", { getItem: (name: string) => stored.get(name) ?? null, setItem: (name: string, value: string) => stored.set(name, value), removeItem: (name: string) => stored.delete(name) });
  vi.stubGlobal("location", new URL("https://tocsin.example/panel/"));
  unsettle();
});

const choose = (side: "live" | "test") => useEnv.getState().choose(side);

test("a choice is there again when its person is, and is nobody else's", () => {
  settle("ann", "live", false);
  choose("test");
  unsettle();
  expect(env()).toBe("live");
  settle("ben", "live", false);
  expect(env()).toBe("live");
  unsettle();
  settle("ann", "live", false);
  expect(env()).toBe("test");
});

test("without a switch it is the side that the person is of, whatever an address says", () => {
  settle("ann", "live", false);
  choose("test");
  unsettle();
  follow("/panel/?env=test");
  settle("cid", "live", true);
  choose("test");
  follow("/panel/?env=test");
  expect(env()).toBe("live");
  unsettle();
  settle("sam", "test", true);
  expect(env()).toBe("test");
});

test("an address leads whoever has the switch, and whoever loses it comes home", () => {
  follow("/panel/notifications/1?env=test");
  settle("ann", "live", false);
  expect(env()).toBe("test");
  follow("/panel/notifications/2?env=live");
  expect(env()).toBe("live");
  choose("test");
  settle("ann", "live", true);
  expect(env()).toBe("live");
});
