import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, launch, shot, signIn, visit } from "./visit";

/** A project of 100,000 people, Person 000001 before all others. */
const email = process.env.CROWD_OWNER!;
const PAGE = 50;
const HELD = 3 * PAGE;
/** More of them for figures; the whole list has 2,000. */
const PAGES = Number(process.env.LONG_PAGES ?? 40);

let browser: Browser;
let page: Page;
let complaints: string[];
beforeAll(async () => {
  browser = await launch();
  ({ page, complaints } = await visit(browser));
  await signIn(page, { email });
  await page.goto("/panel/users");
  await page.getByText("Person 000001").waitFor();
});
afterAll(() => browser?.close());

const numbers = () => page.evaluate(`[...document.querySelectorAll(".rows .row-link")].map((one) => Number(/\\d{6}/.exec(one.textContent)?.[0]))`) as Promise<number[]>;
const last = async () => (await numbers()).at(-1)!;
/** Of rows that are in the window now. */
const inSight = () =>
  page.evaluate(`[...document.querySelectorAll(".rows .row-link")].filter((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  }).map((one) => Number(/\\d{6}/.exec(one.textContent)?.[0]))`) as Promise<number[]>;
const scrollTo = (y: string) => page.evaluate(`scrollTo(0, ${y})`);
const inARow = (found: number[]) => found.every((number, at) => at === 0 || number === found[at - 1]! + 1);

async function goDown(pages: number): Promise<void> {
  for (let at = 0; at < pages; at++) {
    const before = await last();
    await scrollTo("document.documentElement.scrollHeight");
    await expect.poll(last, { timeout: 10_000, interval: 10 }).toBeGreaterThan(before);
  }
}

test("scrolled on and on, every row comes, and few are held", { timeout: 60_000 + PAGES * 1_000 }, async () => {
  await page.evaluate(`globalThis.slow = []; new PerformanceObserver((list) => slow.push(...list.getEntries().map((one) => Math.round(one.duration)))).observe({ type: "longtask" })`);
  const began = Date.now();
  let seen = 0;
  while (seen < PAGES * PAGE) {
    const found = await numbers();
    expect(found.length).toBeLessThanOrEqual(HELD);
    expect(inARow(found)).toBe(true);
    expect(found[0]).toBeLessThanOrEqual(seen + 1);
    seen = found.at(-1)!;
    await goDown(1);
  }
  const slow = ((await page.evaluate("slow")) as number[]).sort((one, other) => one - other);
  const nodes = await page.evaluate("document.querySelectorAll('*').length");
  console.log(`${seen} rows in ${Date.now() - began} ms; ${nodes} elements; heap ${await heap()} MB; long tasks: ${slow.length}, half of them below ${slow[slow.length >> 1] ?? 0} ms, at most ${slow.at(-1) ?? 0} ms`);
  await accessible(page);
});

async function heap(): Promise<number> {
  const debug = await page.context().newCDPSession(page);
  await debug.send("HeapProfiler.collectGarbage");
  await debug.send("Performance.enable");
  const { metrics } = await debug.send("Performance.getMetrics");
  await debug.detach();
  return Math.round(metrics.find(({ name }) => name === "JSHeapUsedSize")!.value / 1e6);
}

test("what was let go is there again, wherever one leaps", async () => {
  const height = (await page.evaluate("document.documentElement.scrollHeight")) as number;
  await scrollTo("0");
  await expect.poll(async () => (await numbers())[0], { timeout: 10_000 }).toBe(1);
  expect(Math.abs(((await page.evaluate("document.documentElement.scrollHeight")) as number) - height)).toBeLessThan(200);
  await scrollTo(`${height / 2}`);
  const middle = (PAGES * PAGE) / 2;
  const near = async () => {
    const found = await inSight();
    return found.length > 5 && inARow(found) && Math.abs(found[0]! - middle) < 2 * PAGE;
  };
  await expect.poll(near, { timeout: 10_000 }).toBe(true);
  await scrollTo(`${height / 2 - 4_000}`);
  await expect.poll(async () => (await inSight()).length > 5 && inARow(await numbers()), { timeout: 10_000 }).toBe(true);
  expect((await numbers()).length).toBeLessThanOrEqual(HELD);
  await fits(page);
});

test("whoever goes to a row deep down and comes back begins at the top", async () => {
  await page.goto("/panel/users");
  await page.getByText("Person 000001").waitFor();
  await goDown(5);
  const deep = (await inSight())[3]!;
  expect(deep).toBeGreaterThan(HELD);
  await page.getByRole("link", { name: String(deep).padStart(6, "0") }).click();
  await page.waitForURL(/\/users\/[0-9a-f-]{36}/);
  await page.goBack();
  await expect.poll(numbers, { timeout: 10_000 }).toEqual(Array.from({ length: PAGE }, (_, at) => at + 1));
  await goDown(4);
  expect(await page.locator("thead tr").getAttribute("aria-rowindex")).toBe("1");
});

test("what cannot be read is said where one is, and is there when it is tried again", async () => {
  const { page: other } = await visit(browser);
  await signIn(other, { email });
  await other.goto("/panel/users");
  for (const row of ["000001", "000100", "000150", "000200", "000250"]) {
    await other.getByText(`Person ${row}`).waitFor({ state: "attached" });
    await other.evaluate("scrollTo(0, document.documentElement.scrollHeight)");
  }
  const problem = JSON.stringify({ status: 403, code: "forbidden", detail: "Not now." });
  await other.route("**/api/v1/users?*", (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body: problem }));
  await other.route("**/api/v1/users", (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body: problem }));
  await other.evaluate("scrollTo(0, 2000)");
  const said = other.getByRole("alert").filter({ hasText: "Not now." });
  await said.waitFor();
  const { y } = (await said.boundingBox())!;
  expect(y).toBeGreaterThan(0);
  expect(y).toBeLessThan(800);
  await accessible(other);
  await other.unrouteAll();
  await said.getByRole("button", { name: "Try again" }).click();
  await other.getByText("Person 000045").waitFor();
  await said.waitFor({ state: "detached" });
  await other.context().close();
});

test("by the keyboard, Tab goes on from row to row", async () => {
  const before = await last();
  await page.getByRole("link", { name: String(before).padStart(6, "0") }).focus();
  await expect.poll(last, { timeout: 10_000 }).toBeGreaterThan(before);
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.textContent")).toContain(String(before + 1).padStart(6, "0"));
  const row = await page.evaluate("Number(document.activeElement.closest('tr').getAttribute('aria-rowindex'))");
  expect(row).toBe(before + 2);
});

test("a filter begins at the top, with what fits alone", async () => {
  await page.getByLabel("Search people").fill("Person 09999");
  await expect.poll(numbers, { timeout: 10_000 }).toEqual(Array.from({ length: 10 }, (_, at) => 99_990 + at));
  expect(await page.locator(".room").count()).toBe(0);
  await shot(page, "long-filtered");
});

test("on a phone the cards do the same", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto("/panel/users");
  await page.getByText("Person 000001").waitFor();
  await goDown(5);
  expect((await numbers()).length).toBeLessThanOrEqual(HELD);
  await accessible(page);
  await fits(page);
  await scrollTo("0");
  await expect.poll(async () => (await inSight())[0], { timeout: 10_000 }).toBe(1);
});

test("nothing of it made the console complain", () => {
  expect(complaints).toEqual([]);
});
