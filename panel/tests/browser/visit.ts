import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterEach, expect } from "vitest";

export const URL_ = process.env.TOCSIN_URL ?? "http://127.0.0.1:8700";
export const PASSWORD = "correct horse battery";
const SHOTS = process.env.TOCSIN_SCREENSHOTS ?? join(import.meta.dirname, "../../../.cache/panel");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export interface Project {
  email: string;
  slug: string;
  token: string;
  userId: string;
  testKey: { key: string; secret: string };
  liveKey: { key: string; secret: string };
}

export function launch(): Promise<Browser> {
  // Where there is no graphics card, painting without one is a third quicker than imitating it.
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"] });
}

const looked = new Set<Page>();

/** How the pages stood when a test failed is kept beside the others. */
afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  for (const [n, page] of [...looked].entries()) await shot(page, `failed-${task.name.replace(/\W+/g, "-").slice(0, 60)}-${n}`).catch(() => {});
});

/** A page of a browser of its own, and everything that its console complained of. */
export async function visit(browser: Browser, options: { width?: number; dark?: boolean } = {}): Promise<{ page: Page; complaints: string[] }> {
  const { width = 1280, dark = false } = options;
  const context = await browser.newContext({
    baseURL: URL_,
    viewport: { width, height: width < 600 ? 844 : 800 },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.text().includes("Content Security Policy")) complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.setDefaultTimeout(15_000);
  looked.add(page);
  page.on("close", () => looked.delete(page));
  return { page, complaints };
}

let running = 0;

/** A project of this test's own, made over the API. */
export async function project(name: string): Promise<Project> {
  const email = `ada+${Date.now()}-${process.pid}-${running++}@example.com`;
  const made = await post("/signup", { email, password: PASSWORD, projectName: name });
  return { email, slug: made.project.slug, token: made.tokens.accessToken, userId: made.user.id, testKey: made.apiKeys.test, liveKey: made.apiKeys.live };
}

/** A call as a backend makes it, with a key, or as a person with a token. */
export async function post(path: string, body: unknown, by?: Project, env: "live" | "test" = "live", method = "POST") {
  const key = by && (env === "test" ? by.testKey : by.liveKey);
  const answer = await fetch(`${URL_}/api/v1${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...(key && { "X-API-Key": key.key, "X-API-Secret": key.secret }) },
    ...(method !== "GET" && { body: JSON.stringify(body) }),
  });
  const said = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(said)}`);
  return said;
}

export async function signIn(page: Page, { email }: { email: string }): Promise<void> {
  await page.goto("/panel/signin");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Places" }).waitFor({ state: "attached" });
}

export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.evaluate("scrollTo(0, 0)");
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** Nothing that axe finds, by all of its rules, once what fades in is there: half of a colour is no contrast. */
export async function accessible(page: Page): Promise<void> {
  await page.evaluate(`Promise.allSettled(
    document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity).map((one) => one.finished))`);
  // By the debugger, which the page's policy does not bind.
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    `axe.run(document)
      .then((all) => all.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html + " " + (node.failureSummary ?? "")).join("; ")))`,
  )) as string[];
  expect(found, page.url()).toEqual([]);
}

/** Nothing reaches out of the screen sideways. */
export async function fits(page: Page): Promise<void> {
  const over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  expect(over, page.url()).toBeLessThanOrEqual(0);
}
