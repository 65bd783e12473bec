import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contrast } from "@/lib/colour";
import { seeded, type Seeded } from "./seed";
import { accessible, good, launch, post, settled, shot, signIn, visit } from "./visit";

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

describe("in light, dark and on a phone", () => {
  let page: Page;
  let complaints: string[];
  beforeAll(async () => {
    ({ page, complaints } = await visit(browser));
    await signIn(page, acme.project);
  });
  afterAll(() => page?.context().close());

  test.each(Object.entries(PAGES))("%s is whole, accessible, and fits (P3)", async (name, path) => {
    complaints.length = 0;
    await page.goto(`/panel${path(acme.ids)}`);
    await good(page, name);
    expect(complaints).toEqual([]);
  });
});

const BRANDS = { yellow: "#FFD400", white: "#FBFBF8", black: "#000000", grey: "#808080" };
const FULL_OF_BRAND = ["/notifications", "/settings/branding"];
const RING = 3;

test.each([
  ["light", false],
  ["dark", true],
])("brands of every lightness can be read, and focus be seen, where it is %s (P3, P4)", async (look, dark) => {
  const { page } = await visit(browser, { dark });
  await signIn(page, acme.project);
  for (const [name, brandColor] of Object.entries(BRANDS)) {
    await post("/projects/me/branding", { brandColor }, acme.project, "live", "PUT");
    for (const path of FULL_OF_BRAND) {
      await page.goto(`/panel${path}`);
      await settled(page);
      await accessible(page);
    }
    await page.goto(`/panel/rules/${acme.ids.rule}`);
    await settled(page);
    await page.getByRole("textbox", { name: "Name" }).first().fill("Larger orders");
    await page.getByRole("button", { name: "Save" }).focus();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Tab");
    await accessible(page);
    const ground = await painted(page, "document.querySelector('.frame-main')", "backgroundColor");
    expect(contrast(await painted(page, "document.activeElement", "outlineColor"), ground), name).toBeGreaterThanOrEqual(RING);
    await shot(page, `brand-${name}-${look}`);
  }
  await page.context().close();
});

/** A colour of an element as it is computed, as #rrggbb. */
async function painted(page: Page, element: string, property: string): Promise<string> {
  const said = (await page.evaluate(`getComputedStyle(${element}).${property}`)) as string;
  return `#${said.match(/\d+/g)!.slice(0, 3).map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}
