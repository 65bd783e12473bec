import type { Browser, Page, WebSocketRoute } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, post, project, type Project, settled, shot, signIn, visit } from "./visit";

let browser: Browser;
let page: Page;
let acme: Project;
let cut = false;
const lines: WebSocketRoute[] = [];
beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Lines");
  ({ page } = await visit(browser));
  // Between browser and server, so that both ends see their line go.
  await page.routeWebSocket(/\/app\//, (line) => {
    if (cut) return void line.close();
    line.connectToServer();
    lines.push(line);
  });
  await signIn(page, acme);
});
afterAll(() => browser?.close());

const dot = () => page.locator(".line-dot");
const row = (type: string) => page.getByText(type, { exact: true });

test("what happened while the line was gone is on the screen once it is back (P1)", async () => {
  await page.goto("/panel/events");
  await settled(page);
  await expect.poll(() => dot().getAttribute("data-line")).toBe("live");
  await post("/events", { type: "line.whole", payload: {} }, acme);
  await row("line.whole").first().waitFor();
  cut = true;
  for (const line of lines.splice(0)) await line.close();
  await expect.poll(() => dot().getAttribute("data-line")).toBe("waiting");
  await post("/events", { type: "line.gone", payload: {} }, acme);
  await page.waitForTimeout(1_500);
  expect(await row("line.gone").count()).toBe(0);
  await shot(page, "line-gone");
  cut = false;
  await expect.poll(() => dot().getAttribute("data-line"), { timeout: 20_000 }).toBe("live");
  await row("line.gone").first().waitFor();
  await shot(page, "line-back");
});
