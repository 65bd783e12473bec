import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { accessible, bell, enter, happens, inbox, launch, opened, person, plays, type Shop, shot, sounding } from "./shop";

let browser: Browser;
let acme: Shop;
let rival: Shop;
beforeAll(async () => {
  [browser, acme, rival] = await Promise.all([launch(), opened("Acme Coffee"), opened("Rival Tea")]);
});
afterAll(async () => {
  acme?.close();
  rival?.close();
  await browser?.close();
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((each) => each.close()));
});

const soon = { timeout: 10_000, interval: 100 };

async function entered(...people: [Shop, string][]): Promise<Page[]> {
  return Promise.all(people.map(async ([shop, who]) => enter(await person(browser), shop, who)));
}

/** Not heard now, nor a pause between two strokes later. */
async function silent(page: Page): Promise<void> {
  await expect.poll(() => sounding(page), { timeout: 1_000 }).toBe(false);
  const before = await plays(page);
  await page.waitForTimeout(1_500);
  expect([await sounding(page), await plays(page)]).toEqual([false, before]);
}

test("it rings everywhere until one sees to it, and then everybody is told who (W2, R3)", { retry: 0 }, async () => {
  const [ann, annsPhone, ben, stranger] = (await entered([acme, "ann"], [acme, "ann"], [acme, "ben"], [rival, "ann"])) as [Page, Page, Page, Page];
  await happens(ann, "A customer orders");
  for (const page of [ann, annsPhone, ben]) {
    await expect.poll(() => bell(page).getAttribute("aria-label"), soon).toBe("Notifications, 1 new");
    await expect.poll(() => sounding(page), soon).toBe(true);
  }
  await ann.waitForTimeout(3_500);
  for (const page of [ann, annsPhone, ben]) expect(await plays(page)).toBeGreaterThan(1);

  await bell(ben).click();
  await inbox(ben).getByRole("button", { name: /^I see to it: Order/ }).click();
  await inbox(ben).getByText("Ben sees to it").waitFor();
  await Promise.all([ann, annsPhone, ben].map(silent));
  for (const page of [ann, annsPhone]) {
    await bell(page).click();
    await inbox(page).getByText("Ben sees to it, now").waitFor();
    expect(await inbox(page).getByRole("button", { name: /^I see to it/ }).count()).toBe(0);
  }

  expect([await plays(stranger), await bell(stranger).getAttribute("aria-label")]).toEqual([0, "Notifications"]);
  await bell(stranger).click();
  await inbox(stranger).getByText("Nothing yet").waitFor();
});

test("nothing is heard before a gesture, then it is, and not once it is switched off", async () => {
  const page = await enter(await person(browser), acme, "cleo", { click: false });
  const other = await enter(await person(browser), acme, "ben");
  await happens(other, "A customer orders");
  await page.locator(".tocsin-button[data-ringing]").waitFor();
  expect(await plays(page)).toBe(0);
  await page.keyboard.press("Shift");
  await expect.poll(() => sounding(page), soon).toBe(true);
  await bell(page).click();
  await inbox(page).getByRole("button", { name: "Silence" }).click();
  await silent(page);
  await inbox(page).getByRole("button", { name: /^Sounds are on/ }).click();
  const orders = inbox(page).getByRole("button", { name: /^I see to it/ });
  const before = await orders.count();
  await happens(other, "A customer orders");
  await expect.poll(() => orders.count(), soon).toBe(before + 1);
  await silent(page);
});

test("of several tabs one plays, and what one has seen the others know", async () => {
  const context = await person(browser);
  const tabs = [await enter(context, acme, "ann"), await enter(context, acme, "ann")] as const;
  await happens(tabs[1], "Beans run low");
  for (const tab of tabs) await expect.poll(() => bell(tab).getAttribute("aria-label"), soon).toMatch(/, \d+ new$/);
  await expect.poll(async () => (await plays(tabs[0])) + (await plays(tabs[1])), soon).toBe(1);
  await bell(tabs[1]).click();
  for (const tab of tabs) await expect.poll(() => bell(tab).getAttribute("aria-label"), soon).toBe("Notifications");
  await tabs[1].reload();
  await tabs[1].locator(".tocsin-button[data-live]").waitFor();
  expect(await bell(tabs[1]).getAttribute("aria-label")).toBe("Notifications");
});

test("a page that comes again goes on with its session, and one whose session was ended begins another", async () => {
  const page = await enter(await person(browser), acme, "ben");
  const begun: string[] = [];
  page.on("request", (request) => request.url().endsWith("/users/register") && request.method() === "POST" && begun.push(request.url()));
  await page.reload();
  await page.locator(".tocsin-button[data-live]").waitFor();
  expect(begun).toEqual([]);
  await page.evaluate(END_SESSION);
  await page.locator(".tocsin-button:not([data-live])").waitFor();
  const before = await plays(page);
  await happens(page, "A customer orders");
  await page.locator(".tocsin-button[data-live]").waitFor();
  expect(begun).toHaveLength(1);
  // What was missed and waits for somebody is heard.
  await expect.poll(() => plays(page), soon).toBeGreaterThan(before);
  await bell(page).click();
  await inbox(page).getByRole("button", { name: /^I see to it/ }).first().waitFor();
});

test("whoever signs in next in the same browser is not taken for the one before (A5)", async () => {
  const context = await person(browser);
  await (await enter(context, acme, "ann")).close();
  const page = await enter(context, acme, "ben");
  await happens(page, "A customer orders");
  await page.locator(".tocsin-button[data-ringing]").waitFor();
  await bell(page).click();
  const first = inbox(page).getByRole("listitem").first();
  await first.getByRole("button", { name: /^I see to it/ }).click();
  await first.getByText("Ben sees to it").waitFor();
});

/** As the person does it on another device: the refresh token of this page ends its own session. */
const END_SESSION = `(async () => {
  const { url, apiKey } = await (await fetch("/shop")).json();
  const send = (path, init) => fetch(url + "/api/v1" + path, { method: "POST", ...init });
  const { refreshToken } = JSON.parse(localStorage.getItem("tocsin." + apiKey));
  const headers = { "Content-Type": "application/json" };
  const { tokens } = await (await send("/auth/refresh", { headers, body: JSON.stringify({ refreshToken }) })).json();
  await send("/auth/logout", { headers: { Authorization: "Bearer " + tokens.accessToken } });
})()`;

test("a muted topic comes without a sound, and wishes are kept (R4)", async () => {
  const page = await enter(await person(browser), acme, "cleo");
  await bell(page).click();
  await page.getByRole("button", { name: "Preferences" }).click();
  await page.getByRole("switch", { name: "stock" }).click();
  await page.getByText("Saved").waitFor();
  await page.getByRole("switch", { name: "Telegram" }).click();
  await page.getByRole("switch", { name: "Only what is critical comes then." }).click();
  await page.getByLabel("From").fill("21:30");
  await page.getByLabel("To", { exact: true }).focus();
  await page.keyboard.press("Escape");
  await happens(page, "Beans run low");
  await expect.poll(() => bell(page).getAttribute("aria-label"), soon).toMatch(/new$/);
  expect(await plays(page)).toBe(0);

  await page.reload();
  await bell(page).click();
  await page.getByRole("button", { name: "Preferences" }).click();
  await page.getByLabel("From").waitFor();
  const switches = () => page.getByRole("switch").evaluateAll((all) => all.map((one) => (one as HTMLInputElement).checked));
  // The last but one is this browser, which is looked at by itself.
  await expect.poll(switches, soon).toEqual([true, false, true, true, false, false, true]);
  expect(await page.getByLabel("From").inputValue()).toBe("21:30");
});

test("what cannot be loaded says so, and is tried again", async () => {
  const page = await (await person(browser)).newPage();
  await page.route("**/token*", (route) => route.fulfill({ status: 200, body: "no token" }));
  await page.goto(`${acme.url}/?as=ann`);
  await bell(page).click();
  await page.getByRole("alert").getByText("Your notifications could not be loaded.").waitFor();
  await accessible(page);
  await shot(page, "refused");
  await page.unroute("**/token*");
  await page.getByRole("button", { name: "Try again" }).click();
  await inbox(page).getByRole("listitem").first().waitFor();
});

describe.each([
  ["light", { width: 900 }, ""],
  ["dark", { width: 900, dark: true }, ""],
  ["phone", { width: 390 }, ""],
  ["right-to-left", { width: 900 }, "&rtl"],
])("%s", (name, look, more) => {
  test("it is whole, accessible, and fits (P3)", async () => {
    const page = await enter(await person(browser, look), acme, "ann", { more });
    await happens(page, "A customer orders");
    await page.locator(".tocsin-button[data-ringing]").waitFor();
    await page.keyboard.press("Tab");
    await shot(page, `${name}-bell`);
    await bell(page).focus();
    await page.keyboard.press("Enter");
    await inbox(page).getByRole("button", { name: /^I see to it/ }).first().waitFor();
    await accessible(page);
    await shot(page, `${name}-inbox`);
    const over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    expect(over).toBeLessThanOrEqual(0);
    await page.getByRole("button", { name: "Preferences" }).press("Enter");
    await page.getByRole("switch").first().waitFor();
    await accessible(page);
    await shot(page, `${name}-preferences`);
    await page.keyboard.press("Escape");
    expect(await page.evaluate("document.activeElement.className")).toBe("tocsin-button");
  });
});
