import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { expect } from "vitest";

const HERE = import.meta.dirname;
const SHOTS = process.env.TOCSIN_SCREENSHOTS ?? join(HERE, "../../../../.cache/sdk-react");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export interface Shop {
  url: string;
  close: () => void;
}

/** The demo's backend as a process, with a project of its own. */
export async function opened(name: string): Promise<Shop> {
  const env = { ...process.env, PORT: "0", SHOP: name };
  const child: ChildProcess = spawn(process.execPath, [join(HERE, "../../demo/backend.mjs")], { env, stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise<string>((done, failed) => {
    child.once("exit", (code) => failed(new Error(`The shop ended with ${code}.`)));
    child.stdout!.once("data", (said: Buffer) => done(/http:\/\/[^/]+/.exec(said.toString())![0]));
  });
  return { url, close: () => void child.kill() };
}

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}

/** Somebody's browser: what is played in it is kept, to see whether it is heard. */
export async function person(browser: Browser, look: { width?: number; dark?: boolean } = {}): Promise<BrowserContext> {
  const { width = 900, dark = false } = look;
  const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" });
  context.setDefaultTimeout(15_000);
  // What Playwright asks of a page counts as a gesture in it; clicks and keys are to be the only ones.
  await context.addInitScript(`{
    Object.defineProperty(Navigator.prototype, "userActivation", { value: undefined });
    globalThis.played = [];
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () { played.push(this); return play.call(this); };
  }`);
  return context;
}

/** A window of theirs, connected; with a click in it unless told otherwise, since nothing is heard before one. */
export async function enter(context: BrowserContext, shop: Shop, who: string, { click = true, more = "" } = {}): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${shop.url}/?as=${who}${more}`);
  await page.locator(".tocsin-button[data-live]").waitFor();
  if (click) await page.getByRole("heading", { level: 1 }).click();
  return page;
}

export const bell = (page: Page): Locator => page.getByRole("button", { name: /^Notifications/ });
export const inbox = (page: Page): Locator => page.getByRole("region", { name: "Notifications" });

export async function happens(page: Page, what: "A customer orders" | "Beans run low"): Promise<void> {
  await page.getByRole("button", { name: what }).click();
}

/** Whether a sound is heard in this window at this moment. */
export const sounding = (page: Page): Promise<boolean> =>
  page.evaluate("played.some((one) => !one.paused && !one.ended && one.currentTime > 0)");

/** How often something was played in this window. */
export const plays = (page: Page): Promise<number> => page.evaluate("played.length");

export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** Nothing that axe finds, by all of its rules. */
export async function accessible(page: Page): Promise<void> {
  await page.evaluate(AXE);
  const found = await page.evaluate(`axe.run(document).then((all) =>
    all.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html + " " + (node.failureSummary ?? "")).join("; ")))`);
  expect(found).toEqual([]);
}
