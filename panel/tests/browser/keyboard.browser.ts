import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { person, type Person } from "./far";
import { opensAndCloses, tabTo, walkable, walkableBeyondTheFrame } from "./keys";
import { OPERATOR, operate } from "./operator";
import { seeded, type Seeded, until } from "./seed";
import { launch, PASSWORD, post, settled, shot, signIn, visit } from "./visit";

let browser: Browser;
let acme: Seeded;
let ann: Person;
let page: Page;
let platform: Page;
beforeAll(async () => {
  browser = await launch();
  acme = await seeded("Acme Keys");
  ann = await person(acme.project, "Ann", ["user"]);
  await post("/event-types", { name: "order.created", description: "An order" }, acme.project).catch(() => null);
  [{ page }, { page: platform }] = await Promise.all([visit(browser), visit(browser)]);
  await signIn(page, acme.project);
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await acme?.end();
});

/** Every page of a panel, as its code lists them. */
function routes(file: string): string[] {
  const code = readFileSync(join(import.meta.dirname, "../../src", file), "utf8");
  return [...code.matchAll(/page\("([^"]+)"/g)].map(([, path]) => path!);
}

/** At which addresses each is walked. Those of strangers, and the wizard, which is in Test, have tests of their own. */
const PAGES: Record<string, (ids: Seeded["ids"]) => string[]> = {
  "/signin": () => [],
  "/signup": () => [],
  "/forgotten": () => [],
  "/welcome": () => [],
  "/": () => ["/"],
  "/events": () => ["/events"],
  "/events/send": () => ["/events/send"],
  "/events/:id": ({ event }) => [`/events/${event}`],
  "/rules": () => ["/rules"],
  "/rules/new": () => ["/rules/new"],
  "/rules/:id": ({ rule }) => [`/rules/${rule}`],
  "/event-types": () => ["/event-types"],
  "/event-types/new": () => ["/event-types/new?name=order.created"],
  "/event-types/:id": () => [],
  "/templates": () => ["/templates"],
  "/templates/edit": () => ["/templates/edit?kind=layout&name=mail&language=en"],
  "/sounds": () => ["/sounds"],
  "/notifications": () => ["/notifications"],
  "/notifications/:id": ({ notification }) => [`/notifications/${notification}`],
  "/connections": () => ["/connections"],
  "/connections/telegram/:id?": () => ["/connections/telegram"],
  "/connections/whatsapp/:id?": () => ["/connections/whatsapp"],
  "/connections/new": () => ["/connections/new", "/connections/new?provider=smtp"],
  "/connections/:id": ({ connection }) => [`/connections/${connection}`],
  "/webhooks": () => ["/webhooks"],
  "/webhooks/:id": ({ endpoint }) => [`/webhooks/${endpoint}`],
  "/keys": () => ["/keys"],
  "/users": () => ["/users"],
  "/users/import": () => ["/users/import"],
  "/users/:id": ({ user }) => [`/users/${user}`],
  "/roles": () => ["/roles"],
  "/audit": () => ["/audit"],
  "/analytics": () => ["/analytics"],
  "/usage": () => ["/usage"],
  "/settings": () => ["/settings"],
  "/settings/:tab": () => ["branding", "domain", "security", "sso", "invitations", "privacy", "ownership"].map((tab) => `/settings/${tab}`),
  "/me": () => ["/me"],
  "/me/preferences": () => ["/me/preferences"],
  "/me/security": () => ["/me/security"],
  "/me/telegram/:id?": () => ["/me/telegram"],
};

const PLATFORM: Record<string, (ids: { project: string; connection: string }) => string[]> = {
  "/setup": () => ["/setup"],
  "/signin": () => [],
  "/": () => ["/"],
  "/projects": () => ["/projects"],
  "/projects/:id": ({ project }) => [`/projects/${project}`],
  "/usage": () => ["/usage"],
  "/plans": () => ["/plans"],
  "/connections": () => ["/connections"],
  "/connections/new": () => ["/connections/new?provider=smtp"],
  "/connections/:id": ({ connection }) => [`/connections/${connection}`],
  "/me/security": () => ["/me/security"],
  "/visits": () => ["/visits"],
  "/admins": () => ["/admins"],
  "/audit": () => ["/audit"],
  "/settings": () => ["/settings"],
};

async function opened(of: Page, path: string): Promise<void> {
  await of.goto(path);
  await settled(of);
}

/** All that is wrong on any of these pages, so that one look shows the whole of it. The frame is walked once. */
async function walked(of: Page, paths: string[]): Promise<void> {
  const wrong: unknown[] = [];
  for (const [n, path] of paths.entries()) {
    await opened(of, path);
    const skips = n > 0 && (await of.locator(".skip").count()) > 0;
    await (skips ? walkableBeyondTheFrame : walkable)(of).catch(async (error: unknown) => {
      await shot(of, `keyboard${path.replace(/\W+/g, "-")}`);
      wrong.push(`${path}: ${(error as Error).message}\n${JSON.stringify((error as { actual?: unknown }).actual)}`);
    });
  }
  expect(wrong.join("\n")).toBe("");
}

test("no page is left out", () => {
  expect(Object.keys(PAGES).sort()).toEqual(routes("app/routes.tsx").sort());
  expect(Object.keys(PLATFORM).sort()).toEqual(routes("platform/routes.tsx").sort());
});

test("strangers sign in with nothing but keys (P3)", async () => {
  const { page: door } = await visit(browser);
  await walked(door, ["/panel/signin", "/panel/signup", "/panel/forgotten", "/platform/signin"]);
  await door.goto("/panel/signin");
  await tabTo(door, door.getByLabel("E-mail"));
  await door.keyboard.type(ann.email);
  await tabTo(door, door.getByLabel(/^Password/).first());
  await door.keyboard.type(PASSWORD);
  await door.keyboard.press("Enter");
  await door.getByRole("navigation", { name: "Your pages" }).or(door.getByRole("navigation", { name: "Places" })).first().waitFor();
  await walked(door, ["/me", "/me/preferences", "/me/security", "/me/telegram", "/notifications"].map((path) => `/panel${path}`));
  await door.context().close();
});

test("every page of the panel is walked through with Tab (P3)", async () => {
  await walked(page, Object.values(PAGES).flatMap((paths) => paths(acme.ids)).map((path) => `/panel${path}`));
}, 240_000);

test("every page of the platform's panel is walked through with Tab (P2, P3)", async () => {
  const [project] = (await operate(`/projects?search=${acme.project.slug}`)).items;
  await platform.goto("/platform/signin");
  await tabTo(platform, platform.getByLabel("E-mail"));
  await platform.keyboard.type(OPERATOR);
  await tabTo(platform, platform.getByLabel(/^Password/).first());
  await platform.keyboard.type(PASSWORD);
  await platform.keyboard.press("Enter");
  await platform.getByRole("navigation", { name: "Places" }).waitFor({ state: "attached" });
  await walked(platform, Object.values(PLATFORM).flatMap((paths) => paths({ project: project.id, connection: acme.ids.connection })).map((path) => `/platform${path}`));
}, 180_000);

test("dialogs, drawers and menus keep the focus, and give it back at Escape (P3)", async () => {
  const dialog = (of: Page) => of.getByRole("dialog");
  const button = (of: Page, name: string) => of.locator("main").getByRole("button", { name, exact: true }).first();
  for (const [path, name] of [
    ["/keys", "New key"],
    ["/users", "Add somebody"],
    ["/webhooks", "Add an endpoint"],
    ["/roles", "New role"],
    [`/rules/${acme.ids.rule}`, "Replay over the past"],
    [`/rules/${acme.ids.rule}`, "Delete"],
    ["/settings/invitations", "Invite somebody"],
    ["/settings/ownership", "Delete the project"],
  ]) {
    await opened(page, `/panel${path}`);
    await opensAndCloses(page, button(page, name!), dialog(page));
  }
  await opened(page, `/panel/webhooks/${acme.ids.endpoint}`);
  const call = page.getByRole("table", { name: "Calls" }).getByRole("link").first();
  await opensAndCloses(page, call, dialog(page));
  await opensAndCloses(page, page.getByRole("button", { name: "Search" }).first(), dialog(page));
  await opensAndCloses(page, page.getByRole("button", { name: "Account" }), page.getByRole("menu"));
  for (const [path, name] of [
    ["/projects", "New project"],
    ["/plans", "Add a plan"],
    ["/admins", "Add an admin"],
  ]) {
    await opened(platform, `/platform${path}`);
    await opensAndCloses(platform, button(platform, name!), dialog(platform));
  }
}, 120_000);

// Tried once more, it makes other things than before.
let tries = 0;

test("a rule is made, an event sent and what it tells acknowledged without a mouse (P1, P3)", async () => {
  const [rule, type, title] = [`Doors ${++tries}`, `door${tries}.opened`, `Door ${tries} stands open`];
  const find = async (words: string) => {
    await page.keyboard.press("Control+k");
    await page.getByRole("textbox", { name: "Search" }).waitFor();
    await page.keyboard.type(words);
    await page.getByRole("button", { name: words }).waitFor();
    await page.keyboard.press("Enter");
  };
  await opened(page, "/panel/");
  await find("Make a rule");
  await page.getByRole("heading", { name: "New rule" }).waitFor();
  await tabTo(page, page.getByLabel("Name"));
  await page.keyboard.type(rule);
  await tabTo(page, page.getByRole("combobox", { name: "Event types" }));
  await page.keyboard.type(type);
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByRole("button", { name: "Insist", exact: true }));
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByRole("switch", { name: "Somebody has to acknowledge" }));
  await page.keyboard.press("Space");
  await tabTo(page, page.getByRole("textbox", { name: "Title", exact: true }));
  await page.keyboard.type(title);
  await tabTo(page, page.getByRole("button", { name: "Save" }));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: rule }).waitFor();

  await find("Send an event");
  await page.getByRole("heading", { name: "Send an event" }).waitFor();
  await tabTo(page, page.getByRole("textbox", { name: "Type" }));
  await page.keyboard.press("Control+a");
  await page.keyboard.type(type);
  await tabTo(page, page.getByRole("button", { name: "Send", exact: true }));
  await page.keyboard.press("Enter");
  await page.getByText("Matched", { exact: true }).waitFor();

  const corner = page.getByRole("alert").filter({ hasText: title }).or(page.locator(".arrival", { hasText: title })).first();
  await corner.waitFor();
  await tabTo(page, corner.getByRole("button", { name: /Acknowledge/ }));
  await shot(page, "keyboard-acknowledge");
  await page.keyboard.press("Enter");
  await corner.waitFor({ state: "detached" });
  const acknowledged = () => until(async () => (await post("/notifications?acknowledged=true", null, acme.project, "live", "GET")).items.find((each: { title: string }) => each.title === title) ?? null);
  expect((await acknowledged()).title).toBe(title);
});

test("the wizard of the first minutes is walked through, too (P1)", async () => {
  await walked(page, ["/panel/welcome"]);
});
