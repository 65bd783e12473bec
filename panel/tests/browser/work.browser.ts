import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seeded, type Seeded } from "./seed";
import { totp } from "./totp";
import { accessible, launch, PASSWORD, post, project, shot, signIn, URL_, visit } from "./visit";

let browser: Browser;
let acme: Seeded;
let page: Page;
let complaints: string[];
beforeAll(async () => {
  browser = await launch();
  acme = await seeded("Acme Works");
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme.project);
});
afterAll(async () => {
  await browser?.close();
  await acme?.end();
});

test("a rule is made in the form, tried against a real event, and kept as CEL (P1)", async () => {
  await page.goto("/panel/rules/new?type=order.created");
  await page.getByLabel("Name").fill("Small orders");
  await page.getByRole("button", { name: "Condition", exact: true }).click();
  await page.locator("input[aria-label=Field]").fill("payload.amount");
  await page.getByLabel("Comparison").selectOption("<");
  await page.getByLabel("Value", { exact: true }).fill("100");
  await page.getByLabel("Title").fill("Small order {{ payload.orderId }}");
  await page.getByLabel("Message").fill("{{ payload.nowhere }}");
  const past = page.getByRole("combobox", { name: "A past event" });
  await past.click();
  await page.getByRole("option", { name: /order\.created/ }).first().click();
  await page.getByRole("button", { name: "Try", exact: true }).click();
  await page.getByText("Matches", { exact: true }).waitFor();
  await page.getByText("Small order A-17").waitFor();
  await page.getByText(/payload\.nowhere/).last().waitFor();
  await accessible(page);
  await shot(page, "work-rule-tried");
  await page.getByText("Code", { exact: true }).click();
  await page.getByText("payload.amount < 100").waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Small orders" }).waitFor();
  const kept = await post("/rules?search=Small", null, acme.project, "live", "GET");
  expect(kept.items.map((rule: { condition: string }) => rule.condition)).toEqual(["payload.amount < 100"]);
});

test("a condition that the form cannot show stays code, and saving changes nothing of it", async () => {
  const condition = 'size(payload.customer) > 3 && payload.amount > 1';
  const rule = await post("/rules", { name: "By code", eventTypes: ["*"], condition, targetRoles: ["owner"], title: "x", active: false }, acme.project);
  await page.goto(`/panel/rules/${rule.id}`);
  await page.getByText("it stays code").waitFor();
  await page.getByLabel("Name").fill("By code, renamed");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "By code, renamed" }).waitFor();
  expect((await post(`/rules/${rule.id}`, null, acme.project, "live", "GET")).condition).toBe(condition);
});

test("what nobody touched stays as it is: a rule that runs by the time of day", async () => {
  const rule = await post("/rules", { name: "Mornings", clock: { time: "08:00", days: ["mon"] }, targetRoles: ["owner"], title: "Good morning", topic: "digest" }, acme.project);
  await page.goto(`/panel/rules/${rule.id}`);
  await page.getByText("It runs by the time of day").waitFor();
  await page.getByLabel("Name").fill("Monday mornings");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Monday mornings" }).waitFor();
  const kept = await post(`/rules/${rule.id}`, null, acme.project, "live", "GET");
  expect([kept.clock, kept.topic, kept.eventTypes]).toEqual([rule.clock, "digest", []]);
});

test("what the server refuses stands at its field", async () => {
  await page.goto("/panel/rules/new?type=order.created");
  await page.getByLabel("Name").fill("Wrong");
  await page.getByText("Code", { exact: true }).click();
  await page.locator(".cm-content").fill("payload.amount >");
  await page.getByLabel("Title").fill("x");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("#condition-label").waitFor();
  await page.getByRole("alert").first().waitFor();
  await accessible(page);
  await shot(page, "work-rule-refused");
});

test("a notification arrives on an open page by itself, and is acknowledged there (W2)", async () => {
  await page.goto("/panel/notifications?view=open");
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.getByText("Payment of Initech failed").waitFor();
  await post("/events", { type: "payment.failed", payload: { customer: "Hooli" } }, acme.project);
  const row = page.getByRole("row", { name: /Payment of Hooli failed/ });
  await row.waitFor();
  await row.getByRole("button", { name: /Acknowledge/ }).click();
  await row.waitFor({ state: "detached" });
  await page.getByText("Acknowledged", { exact: true }).click();
  await page.getByRole("row", { name: /Payment of Hooli failed/ }).waitFor();
});

test("an endpoint is called at once, and a call is sent again (H2)", async () => {
  await page.goto(`/panel/webhooks/${acme.ids.endpoint}`);
  await page.getByRole("button", { name: "Call it now" }).click();
  await page.getByText(/"taken"|"busy"/).first().waitFor();
  const calls = page.getByRole("table", { name: "Calls" }).getByRole("link");
  await page.getByRole("link", { name: "webhook.test" }).first().waitFor();
  await calls.last().click();
  await page.getByRole("dialog").getByText("What was sent").waitFor();
  await accessible(page);
  await shot(page, "work-webhook-call");
  await page.getByRole("dialog").getByRole("button", { name: "Send again" }).click();
  await page.getByText("It is sent once more.").waitFor();
  await page.getByText("Attempt 2").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("the secret of a new endpoint is shown once; a reload has forgotten it (H1)", async () => {
  const { url } = await post(`/webhook-endpoints/${acme.ids.endpoint}`, null, acme.project, "live", "GET");
  await page.goto("/panel/webhooks");
  await page.getByRole("button", { name: "Add an endpoint" }).first().click();
  await page.getByRole("dialog").getByLabel("Address").fill(url);
  await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click();
  const secret = await page.locator('pre[aria-label="Signing secret"]').innerText();
  expect(secret).toContain("whsec_");
  await page.reload();
  await page.getByRole("button", { name: "Call it now" }).waitFor();
  expect(await page.getByText(secret.trim()).count()).toBe(0);
});

test("the switch leads into the sandbox, which has none of the live events (A2)", async () => {
  await page.goto("/panel/events");
  await page.getByRole("link", { name: "customer.viewed" }).waitFor();
  await page.getByRole("radiogroup", { name: "Environment" }).getByText("Test").click();
  await page.getByText("nothing leaves this machine").waitFor();
  await page.getByText("No events yet").waitFor();
  await accessible(page);
  await shot(page, "work-sandbox");
  await page.getByRole("radiogroup", { name: "Environment" }).getByText("Live").click();
  await page.getByRole("link", { name: "customer.viewed" }).waitFor();
});

test("a key is made, its secret is shown once, and it works until it is revoked (A3)", async () => {
  await page.goto("/panel/keys");
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("Shop backend");
  await accessible(page);
  await page.getByRole("button", { name: "Make it" }).click();
  const secret = await page.locator("pre[aria-label=\"Secret of Shop backend\"]").innerText();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await accessible(page);
  await shot(page, "work-key-made");
  const row = page.getByRole("row", { name: /Shop backend/ });
  const key = await row.getByText(/^pk_live_/).innerText();
  const by = { ...acme.project, liveKey: { key, secret: secret.trim() } };
  expect((await post("/events", { type: "by.key", payload: {} }, by)).duplicate).toBe(false);
  await row.getByRole("button", { name: "What to do with Shop backend" }).click();
  await page.getByRole("menuitem", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await row.getByText("Revoked").waitFor();
  await page.reload();
  await page.getByRole("row", { name: /Shop backend/ }).waitFor();
  expect(await page.getByText(secret.trim()).count()).toBe(0);
});

test("Ctrl K leads anywhere without a mouse (P3)", async () => {
  await page.goto("/panel/");
  await page.getByRole("heading", { name: "Acme Works" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("textbox", { name: "Search" }).fill("audit");
  await accessible(page);
  await shot(page, "work-palette");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Audit log" }).waitFor();
  await page.getByRole("textbox", { name: "Search" }).waitFor({ state: "detached" }); // it fades away
  await page.keyboard.press("Control+k");
  await page.getByRole("textbox", { name: "Search" }).fill(acme.ids.event);
  await page.getByRole("button", { name: `Event ${acme.ids.event}` }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "order.created" }).waitFor();
});

test("a list is walked through with Tab and opened with Enter (P3)", async () => {
  await page.goto("/panel/rules");
  await page.getByRole("link", { name: "Large orders" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Large orders" }).waitFor();
});

test("tabs share a session without spending each other's tokens, and end it together (A1)", async () => {
  const context = page.context();
  const other = await context.newPage();
  for (let round = 0; round < 3; round++) {
    await Promise.all([page.goto("/panel/events"), other.goto("/panel/rules")]);
    await Promise.all([
      page.getByRole("heading", { name: "Events" }).waitFor(),
      other.getByRole("heading", { name: "Rules" }).waitFor(),
    ]);
  }
  await other.getByRole("button", { name: "Account" }).click();
  await other.getByRole("menuitem", { name: "Sign out" }).click();
  await other.waitForURL("**/panel/signin**");
  await page.waitForURL("**/panel/signin**");
  await other.close();
});

test("whoever has a second factor is asked for it (A4)", async () => {
  const guarded = await project("Guarded");
  const auth = { "Content-Type": "application/json", Authorization: `Bearer ${guarded.token}` };
  const call = async (path: string, body: unknown) => {
    const answer = await fetch(`${URL_}/api/v1/auth/2fa/${path}`, { method: "POST", headers: auth, body: JSON.stringify(body) });
    const said = await answer.json();
    expect(answer.status, JSON.stringify(said)).toBe(200);
    return said;
  };
  const { secret } = await call("enrol", { password: PASSWORD });
  const { recoveryCodes } = await call("confirm", { code: totp(secret) });
  const { page: door } = await visit(browser);
  await door.goto("/panel/signin?next=%2Frules");
  await door.getByLabel("E-mail").fill(guarded.email);
  await door.getByLabel(/^Password/).fill(PASSWORD);
  await door.getByRole("button", { name: "Sign in" }).click();
  await door.getByLabel("Code").fill(recoveryCodes[0]);
  await accessible(door);
  await shot(door, "work-second-factor");
  await door.getByRole("button", { name: "Sign in" }).click();
  await door.waitForURL("**/panel/rules");
});

test("nothing of all that made the console complain", () => {
  // Refusals of forms are answers; the browser reports each as a failed load.
  expect(complaints.filter((each) => !/status of 4(22|01)/.test(each))).toEqual([]);
});
