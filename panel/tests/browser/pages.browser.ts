import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seeded, type Seeded } from "./seed";
import { accessible, fits, launch, shot, signIn, visit } from "./visit";

let browser: Browser;
let acme: Seeded;
beforeAll(async () => {
  browser = await launch();
  acme = await seeded("Acme Logistics");
});
afterAll(async () => {
  await browser?.close();
  await acme?.end();
});

const PAGES: Record<string, (ids: Seeded["ids"]) => string> = {
  home: () => "/",
  events: () => "/events",
  "event-sent": ({ event }) => `/events/${event}`,
  "event-no-match": ({ quiet }) => `/events/${quiet}`,
  "events-send": () => "/events/send",
  "events-none-fits": () => "/events?type=nothing.such",
  rules: () => "/rules",
  rule: ({ rule }) => `/rules/${rule}`,
  "rule-new": () => "/rules/new?type=order.created",
  notifications: () => "/notifications",
  notification: ({ notification }) => `/notifications/${notification}`,
  connections: () => "/connections",
  connection: ({ connection }) => `/connections/${connection}`,
  "connection-choose": () => "/connections/new",
  "connection-new": () => "/connections/new?provider=smtp",
  webhooks: () => "/webhooks",
  webhook: ({ endpoint }) => `/webhooks/${endpoint}`,
  keys: () => "/keys",
  users: () => "/users",
  user: ({ user }) => `/users/${user}`,
  roles: () => "/roles",
  audit: () => "/audit",
  "not-there": () => "/nothing/such",
};

async function settled(page: Page): Promise<void> {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.locator("[aria-busy=true], [data-loading=true]").first().waitFor({ state: "detached" });
  await page.evaluate("document.fonts.ready");
}

describe.each([
  ["light", { width: 1280, dark: false }],
  ["dark", { width: 1280, dark: true }],
  ["phone", { width: 390, dark: false }],
])("%s", (look, options) => {
  let page: Page;
  let complaints: string[];
  beforeAll(async () => {
    ({ page, complaints } = await visit(browser, options));
    await signIn(page, acme.project);
  });
  afterAll(() => page?.context().close());

  test.each(Object.entries(PAGES))("%s is whole, accessible, and fits (P3)", async (name, path) => {
    complaints.length = 0;
    await page.goto(`/panel${path(acme.ids)}`, { waitUntil: "networkidle" });
    await settled(page);
    await shot(page, `${look}-${name}`);
    await accessible(page);
    await fits(page);
    expect(complaints).toEqual([]);
  });
});

test("a yellow brand can be read, in both schemes (P4)", async () => {
  const yellow = await seeded("Yellow Cabs", "#FFD400");
  for (const dark of [false, true]) {
    const { page } = await visit(browser, { dark });
    await signIn(page, yellow.project);
    await page.goto(`/panel/rules/${yellow.ids.rule}`);
    await settled(page);
    await accessible(page);
    await shot(page, `yellow-${dark ? "dark" : "light"}`);
  }
  await yellow.end();
});
