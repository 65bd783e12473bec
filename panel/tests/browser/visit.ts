import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium, type Browser, type Page, type Request } from "playwright-core";
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
  await counting(page);
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

/** As the form of the sign-in would, which has tests of its own: by the same call of this browser. */
export async function signIn(page: Page, { email }: { email: string }): Promise<void> {
  const answer = await page.request.post("/api/v1/auth/login", { data: { email, password: PASSWORD } });
  expect(answer.status(), await answer.text()).toBe(200);
  const { tokens } = await answer.json();
  await page.route("**/nowhere", (route) => route.fulfill({ contentType: "text/html", body: '<link rel="icon" href="data:,">' }));
  await page.goto("/nowhere");
  await page.evaluate((token) => localStorage.setItem("tocsin.refresh", token), tokens.refreshToken as string);
  await page.goto("/panel/");
  await page.getByRole("navigation", { name: "Places" }).waitFor({ state: "attached" });
}

/** By the form: for pages that may only play once somebody has touched them. */
export async function signInByForm(page: Page, { email }: { email: string }): Promise<void> {
  await page.goto("/panel/signin");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Places" }).waitFor({ state: "attached" });
}

const asked = new WeakMap<Page, Set<Request>>();

async function counting(page: Page): Promise<void> {
  const open = new Set<Request>();
  asked.set(page, open);
  page.on("request", (request) => open.add(request));
  page.on("requestfinished", (request) => open.delete(request));
  page.on("requestfailed", (request) => open.delete(request));
  page.on("framenavigated", (frame) => frame === page.mainFrame() && open.clear());
}

/** The page has its heading, and nothing that it asked for is still to come. */
export async function settled(page: Page): Promise<void> {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.locator("[aria-busy=true], [data-loading=true]").first().waitFor({ state: "detached" });
  await page.evaluate("document.fonts.ready");
  // What one answer brings may ask for the next.
  for (let calm = 0; calm < 3; calm = asked.get(page)!.size === 0 ? calm + 1 : 0) await page.evaluate(TWO_FRAMES);
}

const TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

export const LOOKS = { light: { width: 1280, dark: false }, dark: { width: 1280, dark: true }, phone: { width: 390, dark: false } };

/** The page that is open is whole, accessible and fits, in each of these looks. */
export async function good(page: Page, name: string, looks = Object.keys(LOOKS) as (keyof typeof LOOKS)[]): Promise<void> {
  for (const look of looks) {
    await put(page, LOOKS[look]);
    await settled(page);
    await shot(page, `${look}-${name}`);
    await accessible(page);
    await fits(page);
  }
  if (looks.some((look) => look !== "light")) await put(page, LOOKS.light);
}

async function put(page: Page, { width, dark }: { width: number; dark: boolean }): Promise<void> {
  await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
  await page.setViewportSize({ width, height: width < 600 ? 844 : 800 });
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
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(AXE);
  const found = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] })
      .then((all) => all.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html + " " + (node.failureSummary ?? "")).join("; ")))`,
  )) as string[];
  expect(found, page.url()).toEqual([]);
}

/** Nothing reaches out of the screen sideways. */
export async function fits(page: Page): Promise<void> {
  const over = () => page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  // A window that has just become another size takes a moment to be laid out.
  await expect.poll(over, { timeout: 5_000, message: page.url() }).toBeLessThanOrEqual(0);
}
