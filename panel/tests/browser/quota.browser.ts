import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { operate } from "./operator";
import { accessible, fits, launch, post, project, type Project, shot, signIn, visit } from "./visit";
import { tone } from "./wave";

let browser: Browser;
let acme: Project;
let page: Page;
let complaints: string[];
let id: string;

const TINY = { events: 2, notifications: 1, rules: 1, users: 1, teamMembers: 1, bots: 0, sounds: 0, sandboxEventsPerDay: 1 };

beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Little");
  [{ id }] = (await operate(`/projects?search=${acme.slug}`)).items;
  await operate(`/projects/${id}`, "PUT", { plan: "free", overrides: { quotas: TINY } });
  await post("/rules", { name: "Orders", eventTypes: ["order.created"], targetRoles: ["owner"], channels: ["realtime"], title: "Order {{ payload.orderId }}" }, acme);
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme);
}, 90_000);
afterAll(() => browser?.close());

/** The message stands where something was tried: what there is no more of, what follows, and the way to the plan. */
async function refused(where: Locator, title: string, says: string | RegExp): Promise<void> {
  const notice = where.getByRole("alert").filter({ hasText: title });
  await notice.getByText(says).waitFor();
  expect(await notice.getByRole("link", { name: "Plan and usage" }).getAttribute("href")).toBe("/panel/usage");
}

const dayAfter = (now: Date) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1));
const nextMonth = (now: Date) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1));
const begins = (time: Date) => new RegExp(`It begins anew on ${time.toLocaleString("en-US", { day: "numeric", month: "long" })}\\b`);

async function send(): Promise<void> {
  await page.goto("/panel/events/send?type=order.created");
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

test("an event too many is refused in the form that sends it, with the day on which there are more (Q2, Q4)", async () => {
  await send();
  await page.getByText("Matched").waitFor();
  await send();
  await page.getByText("The notifications of this month that the plan allows are used up.").waitFor();
  await page.locator(".rule-story").getByRole("link", { name: "Plan and usage" }).waitFor();
  await accessible(page);
  await shot(page, "quota-notification");
  await page.getByRole("link", { name: "Notification", exact: true }).click();
  await page.getByText("The notifications of this month that the plan allows are used up.").waitFor();
  await accessible(page);
  await shot(page, "quota-delivery");
  await send();
  await refused(page.locator("main form"), "Used up: Events", begins(nextMonth(new Date())));
  await accessible(page);
  await shot(page, "quota-event");
  await page.goto("/panel/");
  await page.getByRole("alert").getByText("Used up: Events, Notifications").waitFor();
  await accessible(page);
  await shot(page, "quota-home");
});

test("in Test it is the day's events that are used up", async () => {
  await page.getByRole("radiogroup", { name: "Environment" }).getByText("Test").click();
  await send();
  await page.getByText("Matched").or(page.getByText("No active rule")).first().waitFor();
  await send();
  await refused(page.locator("main form"), "Used up: Events of today in Test", begins(dayAfter(new Date())));
  await shot(page, "quota-test");
  await page.getByRole("radiogroup", { name: "Environment" }).getByText("Live").click();
});

test("one thing too many is refused where it is made, and what was typed stays (Q2)", async () => {
  await page.goto("/panel/rules/new?type=order.paid");
  await page.getByLabel("Name").fill("One too many");
  await page.getByRole("textbox", { name: "Title", exact: true }).fill("Paid");
  await page.getByRole("button", { name: "Save" }).click();
  await refused(page.locator(".save-bar"), "Used up: Rules", "The plan allows 1, and there are as many. Deleting one makes room.");
  expect(await page.getByLabel("Name").inputValue()).toBe("One too many");
  await accessible(page);
  await shot(page, "quota-rule");

  await page.goto("/panel/users");
  await page.getByRole("button", { name: "Add somebody" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail").fill("grace@example.com");
  await dialog.getByRole("button", { name: "Invite" }).click();
  await dialog.getByText("Choose at least one.").waitFor();
  await dialog.getByRole("switch", { name: "Invite to sign in" }).press("Space");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await refused(dialog, "Used up: People", "The plan allows 1, and there are as many.");
  await accessible(page);
  await shot(page, "quota-person");

  await page.goto("/panel/users/import");
  await page.getByLabel("Or paste it").fill("email,name\nnora@example.com,Nora\n");
  await page.getByRole("button", { name: "Look at it" }).click();
  await page.getByRole("button", { name: /^Bring 1 person in/ }).click();
  await refused(page.locator("main"), "Used up: People", "The plan allows 1");
  await shot(page, "quota-import");

  await page.goto("/panel/connections/new?provider=ntfy");
  await page.getByLabel("Topic").fill("acme-alerts");
  await page.getByRole("button", { name: "Connect" }).click();
  await refused(page.locator("main"), "Used up: Connections, but webhooks and mail", "The plan has none.");
  await accessible(page);
  await shot(page, "quota-connection");

  await page.goto("/panel/sounds");
  await page.locator("input[type=file]").setInputFiles({ name: "ding.wav", mimeType: "audio/wav", buffer: tone(0.1) });
  await page.getByRole("dialog").getByRole("button", { name: "Upload" }).click();
  await refused(page.getByRole("dialog"), "Used up: Own sounds", "The plan has none.");
  await shot(page, "quota-sound");
});

/** In the place of what the plan does not have. */
async function lacking(plan: string): Promise<void> {
  const notice = page.locator("main").getByRole("note").filter({ hasText: "Not in this plan" });
  await notice.getByText(`The plan “${plan}” has it.`).waitFor();
  expect(await notice.getByRole("link", { name: "Plan and usage" }).getAttribute("href")).toBe("/panel/usage");
  await accessible(page);
}

test("what the plan does not have is not offered, and there it is said which plan has it (Q6)", async () => {
  await page.goto("/panel/webhooks");
  await lacking("Starter");
  expect(await page.getByRole("button", { name: "Add an endpoint" }).count()).toBe(0);
  await shot(page, "quota-feature");
  await page.goto("/panel/connections/new?provider=webhook");
  await lacking("Starter");
  expect(await page.getByRole("button", { name: "Connect" }).count()).toBe(0);
  await page.goto("/panel/settings/domain");
  await lacking("Professional");
  expect(await page.getByRole("button", { name: "Claim it" }).count()).toBe(0);
  await shot(page, "quota-domain");
  await page.goto("/panel/rules/new?type=order.paid");
  await page.getByText("Link and languages").click();
  await lacking("Professional");
  await shot(page, "quota-languages");
});

test("on a phone in the dark it is as plain, and the link leads to the plan", async () => {
  const { page: phone, complaints: said } = await visit(browser, { width: 390, dark: true });
  await signIn(phone, acme);
  await phone.goto("/panel/events/send?type=order.created");
  await phone.getByRole("button", { name: "Send", exact: true }).click();
  await refused(phone.locator("main form"), "Used up: Events", begins(nextMonth(new Date())));
  await accessible(phone);
  await fits(phone);
  await shot(phone, "quota-phone-event");
  await phone.goto("/panel/users");
  await phone.getByRole("button", { name: "Add somebody" }).click();
  await phone.getByRole("dialog").getByLabel("E-mail").fill("grace@example.com");
  await phone.getByRole("dialog").getByRole("switch", { name: "Invite to sign in" }).press("Space");
  await phone.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click();
  await refused(phone.getByRole("dialog"), "Used up: People", "The plan allows 1");
  await accessible(phone);
  await shot(phone, "quota-phone-person");
  await phone.getByRole("dialog").getByRole("link", { name: "Plan and usage" }).click();
  await phone.getByText(/^Used up: Events, Notifications/).waitFor();
  await accessible(phone);
  await fits(phone);
  await shot(phone, "quota-phone-usage");
  expect(said.filter((each) => !/status of 4(03|29)/.test(each))).toEqual([]);
});

test("with a larger plan the same form goes on", async () => {
  await send();
  await refused(page.locator("main form"), "Used up: Events", begins(nextMonth(new Date())));
  await operate(`/projects/${id}`, "PUT", { plan: "starter", overrides: null });
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("heading", { name: "order.created" }).waitFor();
  expect(complaints.filter((each) => !/status of 4(03|29)/.test(each))).toEqual([]);
});
