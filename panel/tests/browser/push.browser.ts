import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { as, person, type Person } from "./far";
import { delivering, forget, isSubscribed, nothingShown, PushService, shownBySystem, withPushService } from "./pushing";
import { accessible, fits, launch, post, project, type Project, shot, signIn, URL_, visit } from "./visit";

const SWITCH = "Notify me in this browser even when this page is closed";

let browser: Browser;
let service: PushService;
let acme: Project;
let ann: Person;
let page: Page;
let complaints: string[];
let deliver: (text: string) => Promise<void>;
beforeAll(async () => {
  browser = await launch();
  service = await PushService.start();
  acme = await project("Acme Browsers");
  ann = await person(acme, "Ann", ["agent"]);
  ({ page, complaints } = await visit(browser, { width: 390 }));
  await page.context().grantPermissions(["notifications"], { origin: URL_ });
  await withPushService(page, service);
  deliver = await delivering(page);
  await signIn(page, ann);
  await page.goto("/panel/me");
});
afterAll(async () => {
  service?.stop();
  await browser?.close();
});

const addresses = async () => (await as(ann.token, "GET", `/users/${ann.id}/addresses`)).said as unknown as { id: string; channel: string; label: string }[];
const toggle = async () => {
  await page.getByRole("switch", { name: SWITCH }).focus();
  await page.keyboard.press("Space");
};
async function look(env: "live" | "test"): Promise<void> {
  await page.getByRole("radiogroup", { name: "Environment" }).getByText(env === "test" ? "Test" : "Live").click();
  await page.getByText("Test: everything runs").waitFor({ state: env === "test" ? "visible" : "hidden" });
}
const stands = (checked: boolean) => page.getByRole("switch", { name: SWITCH, checked }).waitFor({ state: "attached" });

test("without a connection it says what is missing, to each what they can do", async () => {
  await page.getByText("Your project does not send to browsers.").waitFor();
  expect(await page.getByRole("switch", { name: SWITCH }).isDisabled()).toBe(true);
  const { page: owners } = await visit(browser);
  await signIn(owners, acme);
  await owners.goto("/panel/me");
  await owners.getByRole("link", { name: "Connect Web Push first" }).click();
  await owners.getByRole("heading", { name: "Connect Web Push" }).waitFor();
  await owners.context().close();
});

test("switched on, this browser is an address of the person's own", async () => {
  await post("/connections", { provider: "webpush", name: "Browsers", settings: { subject: "mailto:ops@example.com" } }, acme);
  await page.reload();
  await page.getByText("For what rules send to browsers.").waitFor();
  await toggle();
  await stands(true);
  expect(await addresses()).toMatchObject([{ channel: "webpush", label: "Chrome on Linux" }]);
  await accessible(page);
  await fits(page);
  await shot(page, "push-on");
});

// Tried once more, it tells of other ovens, of which alone the system shows anything.
let tries = 0;
let [first, second] = ["", ""];

test("what a rule sends is shown while the panel is closed; looked at, without a sound", async () => {
  const kind = `oven${++tries}`;
  [first, second] = [`Oven ${tries}3`, `Oven ${tries}4`];
  await page.goto("/panel/me");
  await nothingShown(page);
  const words = { title: "Oven {{ payload.oven }}", message: "It is too hot." };
  await post("/rules", { name: "Ovens", eventTypes: [`${kind}.hot`], targetUsers: [ann.id], channels: ["realtime", "web_push"], sound: "chime", requireAck: true, ...words }, acme);
  await post("/events", { type: `${kind}.hot`, payload: { oven: `${tries}3` } }, acme);
  const { text, told } = await service.newest(first);
  await deliver(text);
  const looked = { title: first, body: "It is too hot.", tag: told.notificationId, requireInteraction: true, silent: true };
  await expect.poll(() => shownBySystem(page), { timeout: 5_000 }).toEqual([looked]);
  await page.goto("about:blank");
  await post("/events", { type: `${kind}.hot`, payload: { oven: `${tries}4` } }, acme);
  await deliver((await service.newest(second)).text);
  await page.goto("/panel/me");
  await expect.poll(() => shownBySystem(page), { timeout: 5_000 }).toMatchObject([{ title: first }, { title: second, silent: false }]);
});

test("a click leads to the notification in the tab that is open, from Test back to Live", async () => {
  const { told } = await service.newest(first);
  await page.getByRole("link", { name: first }).waitFor();
  await look("test");
  const [worker] = page.context().serviceWorkers();
  // A click of a script is no click: what it may not is to bring the tab to the front.
  await worker!.evaluate(`self.registration.getNotifications({ tag: "${told.notificationId}" })
    .then(([notification]) => self.dispatchEvent(new NotificationEvent("notificationclick", { notification })))`);
  await page.waitForURL(({ pathname }) => pathname === `/panel/notifications/${told.notificationId}`);
  await page.getByRole("heading", { name: first }).waitFor();
  expect(await shownBySystem(page)).toMatchObject([{ title: second }]);
});

test("an acknowledgement, by whomever, takes it away", async () => {
  const { told } = await service.newest(second);
  await page.locator('.line-dot[data-line="live"]').waitFor();
  await as(ann.token, "PUT", `/notifications/${told.notificationId}/acknowledge`, {});
  await expect.poll(() => shownBySystem(page), { timeout: 5_000 }).toEqual([]);
});

test("what either side gives up, the other one forgets", async () => {
  await page.goto("/panel/me");
  await stands(true);
  const [before] = await addresses();
  await forget(page);
  await page.reload();
  await expect.poll(async () => (await addresses()).map(({ id }) => id === before!.id), { timeout: 10_000 }).toEqual([false]);
  expect(await isSubscribed(page)).toBe(true);
  const [now] = await addresses();
  await as(ann.token, "DELETE", `/users/${ann.id}/addresses/${now!.id}`);
  await page.reload();
  await stands(false);
  expect(await isSubscribed(page)).toBe(false);
});

test("switched off, on Test too, and by signing out, the address is gone", async () => {
  for (const leave of [toggle, onTest, signOut]) {
    await toggle();
    await stands(true);
    await expect.poll(async () => (await addresses()).length, { timeout: 5_000 }).toBe(1);
    await leave();
    await expect.poll(addresses, { timeout: 5_000 }).toEqual([]);
    expect(await isSubscribed(page)).toBe(false);
  }
});

async function onTest(): Promise<void> {
  await look("test");
  await toggle();
  await stands(false);
  await look("live");
  await stands(false);
}

async function signOut(): Promise<void> {
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
}

test("a session that is ended elsewhere ends it here", async () => {
  await signIn(page, ann);
  await page.goto("/panel/me");
  await toggle();
  await stands(true);
  await as(ann.token, "DELETE", "/auth/sessions");
  await page.reload();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await expect.poll(() => isSubscribed(page), { timeout: 5_000 }).toBe(false);
  // What the server refuses to a session that was ended.
  expect(complaints.filter((each) => !each.includes("401"))).toEqual([]);
  complaints.length = 0;
});

test("nothing of it made the console complain", () => {
  expect(complaints).toEqual([]);
});
