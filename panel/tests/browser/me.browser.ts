import { createHmac } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { as, heard, mailed, meta, person, type Person, start, tokens } from "./far";
import { totp } from "./totp";
import { accessible, fits, launch, PASSWORD, post, project, type Project, shot, signIn, URL_, visit } from "./visit";

const ANOTHER = "staple battery horse";

let browser: Browser;
let acme: Project;
let numbers = 0;
beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme People");
});
afterAll(() => browser?.close());

/** A token as BotFather makes them; the double takes each for another login of the same bot. */
const botToken = () => `${100_000 + numbers++}:canary-${"x".repeat(28)}${numbers}`;

/** As it should look on its width; where it says so, in the dark as well. */
async function looked(page: Page, name: string, { dark = false } = {}): Promise<void> {
  if (dark) {
    await scheme(page, "dark");
    await accessible(page);
    await shot(page, `${name}-dark`);
    await scheme(page, "light");
  }
  await accessible(page);
  await fits(page);
  await shot(page, name);
}

async function scheme(page: Page, colorScheme: "dark" | "light"): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`).waitFor({ state: "attached" });
}

/** By the keyboard: of a switch only what is drawn beside its input can be clicked. */
async function flip(page: Page, name: string): Promise<void> {
  await page.getByRole("switch", { name }).focus();
  await page.keyboard.press("Space");
}

/** By the keyboard too: a list that opens at the foot of a phone's screen moves when it is scrolled to. */
async function choose(page: Page, label: string, search: string, option: string): Promise<void> {
  await page.getByRole("combobox", { name: label }).fill(search);
  await page.getByRole("option", { name: option }).waitFor({ state: "attached" });
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
}

const projectBot = botToken();

describe("a project's own accounts, by their guides", () => {
  let page: Page;
  let complaints: string[];
  const token = projectBot;
  beforeAll(async () => {
    ({ page, complaints } = await visit(browser));
    await signIn(page, acme);
  });
  afterAll(() => page?.context().close());

  test("a Telegram bot: token, link, Start, test message (P1, C7)", async () => {
    await page.goto("/panel/connections/new");
    await page.getByRole("button", { name: /^Telegram/ }).click();
    await page.waitForURL("**/panel/connections/telegram");
    await page.getByLabel("Bot token").fill("no token at all");
    await page.getByRole("button", { name: "Check the token" }).click();
    await page.getByText(/123456:ABC-DEF/).last().waitFor();
    await shot(page, "telegram-1-refused");
    await page.getByLabel("Bot token").fill(token);
    await page.getByRole("radio", { name: "We ask Telegram" }).click();
    await page.getByRole("button", { name: "Check the token" }).click();
    await page.getByText("@TestNameBot", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Show my link" }).click();
    await page.getByText("Waiting for your Start").waitFor();
    await looked(page, "telegram-2-link", { dark: true });
    const link = await page.getByRole("link", { name: "Open @TestNameBot" }).getAttribute("href");
    await start(token, link!, 4242);
    await page.getByText("Your chat with the bot is linked to you.").waitFor();
    await heard(token, 4242);
    await page.getByRole("button", { name: "Send me a test message" }).click();
    await page.getByText("Telegram took it.").waitFor();
    expect(await heard(token, 4242)).toContain("This is a test message of Acme People.");
    await looked(page, "telegram-3-done");
    await page.reload();
    await page.getByText("Your chat with the bot is linked to you.").waitFor();
    await page.getByRole("link", { name: "Done" }).click();
    await page.getByRole("heading", { name: "Telegram bot" }).waitFor();
    await page.getByRole("link", { name: "Set-up guide" }).waitFor();
    await shot(page, "telegram-connection");
  });

  test("a WhatsApp number: Meta's call ticks its step, and so does a message (P1, C8)", async () => {
    const far = await meta();
    await page.goto("/panel/connections/new");
    await page.getByRole("button", { name: /^WhatsApp/ }).click();
    await page.getByLabel("Phone number ID").fill("+43 660 1234567");
    await page.getByLabel("Access token").fill("canary-access-token-of-the-panel");
    await page.getByLabel("App secret").fill("canary-app-secret-of-the-panel");
    await page.getByRole("button", { name: "Ask Meta" }).click();
    await page.getByText("An ID of digits alone").waitFor();
    await shot(page, "whatsapp-1-refused");
    await page.getByLabel("Phone number ID").fill("106540352242922");
    await page.getByLabel("WhatsApp Business Account ID").fill("102290129340398");
    await page.getByRole("button", { name: "Ask Meta" }).click();
    await page.getByText("Waiting for Meta's call").waitFor();
    await looked(page, "whatsapp-2-callback");
    const [callback, verify] = await page.locator(".paste code").allInnerTexts();
    expect(callback).toMatch(/^https:\/\/alerts\.example\.com\/api\/v1\/hooks\/whatsapp\//);
    const path = new URL(callback!).pathname;
    const hub = new URLSearchParams({ "hub.mode": "subscribe", "hub.verify_token": verify!, "hub.challenge": "77" });
    expect(await (await fetch(`${URL_}${path}?${hub}`)).text()).toBe("77");
    await page.getByText("Meta has called and was answered.").waitFor();
    await page.getByText("Waiting for your message").waitFor();
    await told(path, "106540352242922", "436601234567");
    await page.getByText("What is written to the number arrives.").waitFor();
    await page.getByRole("combobox", { name: "Approved templates" }).click();
    await page.getByRole("option", { name: "alert (en_US)" }).click();
    await page.getByRole("button", { name: "Use it" }).click();
    await page.getByText("In use:").waitFor();
    await page.getByLabel("Your WhatsApp number").fill("+436601234567");
    await page.getByRole("button", { name: "Send a test message" }).click();
    await page.getByText("Meta took it.").waitFor();
    await looked(page, "whatsapp-3-done", { dark: true });
    far.close();
  });

  test("nothing of it made the console complain", () => {
    expect(complaints.filter((each) => !/status of 422/.test(each))).toEqual([]);
  });
});

/** Meta telling of a message to a number, signed as it signs. */
async function told(path: string, number: string, from: string): Promise<void> {
  const messages = [{ from, id: "wamid.HBgLNDM2NjAxMjM0NTY3", timestamp: String(Math.floor(Date.now() / 1000)), type: "text", text: { body: "Hello" } }];
  const value = { messaging_product: "whatsapp", metadata: { display_phone_number: "16315555555", phone_number_id: number }, contacts: [{ profile: { name: "Ann" }, wa_id: from, user_id: "US.13491208655302741918" }], messages };
  const body = JSON.stringify({ object: "whatsapp_business_account", entry: [{ id: "102290129340398", changes: [{ value, field: "messages" }] }] });
  const signature = createHmac("sha256", "canary-app-secret-of-the-panel").update(body).digest("hex");
  const answer = await fetch(`${URL_}${path}`, { method: "POST", headers: { "Content-Type": "application/json", "X-Hub-Signature-256": `sha256=${signature}` }, body });
  expect(answer.status).toBe(200);
}

describe("somebody with own things alone, on a phone (P5)", () => {
  let ann: Person;
  let page: Page;
  let complaints: string[];
  const own = botToken();
  beforeAll(async () => {
    ann = await person(acme, "Ann", ["user"]);
    const rule = { name: "Shifts", eventTypes: ["shift.changed"], targetUsers: [ann.id], channels: ["realtime", "email", "telegram"], topic: "shifts", requireAck: true, title: "Shift {{ payload.day }}", message: "From six to two." };
    await post("/rules", rule, acme);
    ({ page, complaints } = await visit(browser, { width: 390 }));
    await signIn(page, ann);
  });
  afterAll(() => page?.context().close());

  test("is at home on a page of their own and is shown nothing else", async () => {
    await page.waitForURL("**/panel/me");
    await page.getByRole("heading", { name: "Ann" }).waitFor();
    await page.getByText("No bot of your own").waitFor();
    await page.getByRole("button", { name: "Menu" }).click();
    const places = page.getByRole("navigation", { name: "Places" });
    await places.getByRole("link", { name: "My page" }).waitFor();
    expect(await places.getByRole("link").allInnerTexts()).toEqual(["My page", "Preferences", "Security", "Notifications", "API reference"]);
    expect(await page.getByRole("radiogroup", { name: "Environment" }).count()).toBe(0);
    await page.getByRole("button", { name: "Menu" }).click();
    await looked(page, "me-empty");
  });

  test("and the server refuses the rest anyway", { retry: 0 }, async () => {
    const refused = [
      ["GET", "/rules"],
      ["GET", "/events"],
      ["GET", "/audit"],
      ["GET", "/users"],
      ["POST", "/rules", { name: "x", eventTypes: ["*"], title: "x" }],
      ["PUT", `/users/${ann.id}`, { roles: ["owner"] }],
    ] as const;
    for (const [method, path, body] of refused) expect([path, (await as(ann.token, method, path, body)).status]).toEqual([path, 403]);
    for (const path of ["", "/addresses", "/preferences"]) expect((await as(ann.token, "GET", `/users/${acme.userId}${path}`)).status).toBe(404);
    expect((await as(ann.token, "GET", "/connections")).said.items).toEqual([]);
    await page.goto("/panel/rules");
    await page.getByRole("alert").getByText(/rules:read/).waitFor();
  });

  test("acknowledges what arrives while they look", async () => {
    await page.goto("/panel/me");
    await page.getByText("Nothing. New notifications appear here").waitFor();
    await page.locator('.line-dot[data-line="live"]').waitFor();
    await post("/events", { type: "shift.changed", payload: { day: "Monday" } }, acme);
    await page.getByRole("link", { name: "Shift Monday" }).waitFor();
    await looked(page, "me-waiting", { dark: true });
    await page.locator("#main").getByRole("button", { name: "Acknowledge Shift Monday" }).click();
    await page.getByText("Nothing. New notifications appear here").waitFor();
  });

  test("adds an address, links Telegram, and removes again", async () => {
    await page.getByRole("button", { name: "Add an address" }).click();
    await page.getByLabel("Kind").selectOption("phone");
    await page.getByLabel("Address").fill("not a number");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText(/international form/).waitFor();
    await shot(page, "me-address-refused");
    await page.getByLabel("Address").fill("+436601234567");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText("+436601234567").waitFor();
    await page.getByRole("button", { name: "Link Telegram" }).click();
    await page.getByRole("button", { name: "Show my link" }).click();
    const link = await page.getByRole("link", { name: "Open @TestNameBot" }).getAttribute("href");
    await looked(page, "me-telegram-link");
    await start(projectBot, link!, 5151);
    await page.getByText("Telegram is linked.").waitFor();
    await page.getByText("5151").waitFor();
    await page.getByRole("button", { name: "Remove Phone +436601234567" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("+436601234567").first().waitFor({ state: "detached" });
  });

  test("says what reaches them, by which way, and when (R4)", async () => {
    await page.goto("/panel/me/preferences");
    await page.getByText("shifts", { exact: true }).waitFor();
    await page.getByRole("group", { name: "Ways for shifts" }).getByText("E-mail").click();
    await page.getByText("Only by In the app, Telegram").waitFor();
    await flip(page, "Quiet hours of my own");
    await page.getByLabel("From").fill("21:30");
    await page.getByRole("group", { name: "On these days they begin" }).getByText("Sun").click();
    await page.getByRole("button", { name: "Save the hours" }).click();
    await page.getByRole("button", { name: "Save the hours", disabled: true }).waitFor();
    await flip(page, "Send me a daily summary");
    await page.getByLabel("At", { exact: true }).fill("18:15");
    await choose(page, "Time zone", "Vienna", "Europe/Vienna");
    await choose(page, "Language", "Deut", "Deutsch");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Saved.").waitFor();
    await looked(page, "me-preferences", { dark: true });
    const kept = async () => (await as(ann.token, "GET", `/users/${ann.id}/preferences`)).said;
    await expect.poll(kept, { timeout: 5_000 }).toMatchObject({
      topics: { shifts: { muted: false, channels: ["realtime", "telegram"] } },
      quietHours: { from: "21:30", to: "07:00", days: ["mon", "tue", "wed", "thu", "fri", "sat"] },
      dailySummary: { enabled: true, time: "18:15" },
    });
    expect((await as(ann.token, "GET", `/users/${ann.id}`)).said).toMatchObject({ timezone: "Europe/Vienna", locale: "de" });
  });

  test("sets up a bot of their own; another one's is refused in words (C10)", async () => {
    await page.goto("/panel/me");
    await page.getByRole("link", { name: "Set up my bot" }).click();
    await page.getByLabel("Bot token").fill(own);
    await page.getByRole("radio", { name: "We ask Telegram" }).click();
    await page.getByRole("button", { name: "Check the token" }).click();
    // The double gives every token the same account, and that is the project's bot.
    await page.getByRole("alert").waitFor();
    await shot(page, "me-bot-taken");
    const [theirs] = (await post("/connections?provider=telegram&owner=project", null, acme, "live", "GET")).items;
    await post(`/connections/${theirs.id}`, null, acme, "live", "DELETE");
    await page.getByRole("button", { name: "Check the token" }).click();
    await page.getByText("@TestNameBot", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Show my link" }).click();
    const link = await page.getByRole("link", { name: "Open @TestNameBot" }).getAttribute("href");
    await start(own, link!, 5151);
    await page.getByText("Your chat with the bot is linked to you.").waitFor();
    await page.getByRole("button", { name: "Send me a test message" }).click();
    await page.getByText("Telegram took it.").waitFor();
    await page.getByRole("link", { name: "Done" }).click();
    await page.getByRole("link", { name: "Set-up and test" }).waitFor();
    await looked(page, "me-with-bot", { dark: true });
    expect((await as(ann.token, "GET", "/connections")).said.items).toMatchObject([{ owner: "user", userId: ann.id, status: "active" }]);
  });

  test("nothing of it made the console complain, but for what was refused on purpose", () => {
    expect(complaints.filter((each) => !/status of 4(22|09)|403 .*\/api\/v1\/rules\)/.test(each))).toEqual([]);
  });
});

describe("how somebody signs in (A4)", () => {
  let bea: Person;
  let page: Page;
  let other: Page;
  let secret: string;
  beforeAll(async () => {
    bea = await person(acme, "Bea", ["user"]);
    ({ page } = await visit(browser, { width: 390 }));
    ({ page: other } = await visit(browser));
    await signIn(page, bea);
    await page.goto("/panel/me/security");
  });
  afterAll(() => Promise.all([page?.context().close(), other?.context().close()]));

  test("a second factor is set up, its codes are shown once, and signing in asks for it", async () => {
    await page.getByRole("button", { name: "Set it up" }).click();
    await page.getByLabel("Your password").first().fill(PASSWORD);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByRole("img", { name: "Secret for your authenticator app" }).waitFor();
    await looked(page, "security-enrol");
    secret = await page.locator(".scan code").innerText();
    await page.getByLabel("Code of the app").fill(totp(secret, -1));
    await page.getByRole("button", { name: "Turn it on" }).click();
    const codes = page.getByRole("list", { name: "Recovery codes" }).getByRole("listitem");
    await codes.first().waitFor();
    const [first] = await codes.allInnerTexts();
    await looked(page, "security-codes", { dark: true });
    await page.getByRole("button", { name: "I have kept them" }).click();
    await page.getByText("10 recovery codes are left.").waitFor();
    await signInWith(other, bea.email, first!);
  });

  test("other sign-ins are seen and ended", async () => {
    await page.reload();
    await page.getByText("This browser").waitFor();
    await page.getByText("9 recovery codes are left.").waitFor();
    await looked(page, "security");
    await page.getByRole("button", { name: "Sign out elsewhere" }).click();
    await page.getByText("You are signed out everywhere else.").waitFor();
    await page.getByRole("button", { name: /^Sign out Chrome/ }).waitFor({ state: "detached" });
    await other.reload();
    await other.waitForURL("**/panel/signin**");
  });

  test("the password is changed, and a wrong present one is said so", async () => {
    await page.getByLabel("Present password").fill("not this one");
    await page.getByLabel("New password").fill(ANOTHER);
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.getByText(/password is not right|not the present|wrong/i).first().waitFor();
    await page.getByLabel("Present password").fill(PASSWORD);
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.getByText("The password is changed.").waitFor();
  });

  test("another address counts once its mailed link was used", async () => {
    const address = `new-${bea.email}`;
    const before = tokens(address);
    await page.getByLabel("New address").fill(address);
    await page.getByLabel("Your password").fill(ANOTHER);
    await page.getByRole("button", { name: "Change the address" }).click();
    await page.getByText(`A mail with a link went to ${address}`).waitFor();
    expect(await page.getByText(bea.email, { exact: true }).count()).toBe(1);
    await post("/auth/email/verify", { token: await mailed(address, before) });
    await page.reload();
    await page.getByText(address, { exact: true }).waitFor();
  });

  test("the second factor goes only by password and code", async () => {
    await page.getByRole("button", { name: "Turn it off" }).click();
    await page.getByLabel("Your password").first().fill(ANOTHER);
    await page.getByLabel(/^Code/).fill("000000");
    await page.getByRole("button", { name: "Turn it off" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel(/^Code/).fill(totp(secret, 1));
    await page.getByRole("button", { name: "Turn it off" }).click();
    await page.getByRole("button", { name: "Set it up" }).waitFor();
  });
});

async function signInWith(page: Page, email: string, code: string): Promise<void> {
  await page.goto("/panel/signin");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Code").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/panel/me");
}

describe("somebody who sees everything and changes nothing (A6)", () => {
  let viewer: Person;
  let page: Page;
  beforeAll(async () => {
    viewer = await person(acme, "Vera", ["viewer"]);
    ({ page } = await visit(browser));
    await signIn(page, viewer);
  });
  afterAll(() => page?.context().close());

  test.each([
    ["/connections", "Connections", "Connect a channel"],
    ["/rules", "Rules", "Make a rule"],
    ["/users", "People", "Add somebody"],
    ["/webhooks", "Webhooks", "Add an endpoint"],
  ])("%s is there, without what changes it", async (path, heading, act) => {
    await page.goto(`/panel${path}`, { waitUntil: "networkidle" });
    await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
    await page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
    expect(await page.getByRole("button", { name: act }).or(page.getByRole("link", { name: act })).count()).toBe(0);
  });

  test("a guide that is not theirs says so, and the server refuses what it would do", { retry: 0 }, async () => {
    await page.goto("/panel/connections/telegram");
    await page.getByText("This is not yours to do").waitFor();
    expect(await page.getByLabel("Bot token").count()).toBe(0);
    await looked(page, "viewer-refused");
    const [connection] = (await post("/connections", null, acme, "live", "GET")).items;
    const refused = [
      ["POST", "/connections", { provider: "telegram", name: "x", owner: "project", credentials: { botToken: botToken() } }],
      ["POST", `/connections/${connection.id}/verify`, {}],
      ["DELETE", `/connections/${connection.id}`],
      ["GET", `/connections/${connection.id}/setup`],
      ["POST", "/rules", { name: "x", eventTypes: ["*"], title: "x", targetRoles: ["owner"] }],
      ["PUT", `/users/${acme.userId}/preferences`, { channels: { email: false } }],
    ] as const;
    for (const [method, path, body] of refused) expect([path, [403, 404]]).toEqual([path, expect.arrayContaining([(await as(viewer.token, method, path, body)).status])]);
  });

  test("their own page is theirs all the same", async () => {
    await page.goto("/panel/");
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "My page" }).click();
    await page.getByRole("heading", { name: "Vera" }).waitFor();
    await page.getByText("No bot of your own").waitFor();
    await shot(page, "viewer-me");
  });

  test("in Test it can be read alone, and says so (A2)", async () => {
    await page.getByRole("radiogroup", { name: "Environment" }).getByText("Test").click();
    await page.getByText("can be read, not changed").waitFor();
    await accessible(page);
    await page.getByRole("button", { name: "Switch to Live" }).click();
    await page.getByText("can be read, not changed").waitFor({ state: "detached" });
  });

  test("where the project requires a second factor, the way to it is shown", async () => {
    await post("/projects/me/settings", { security: { require2fa: true } }, acme, "live", "PUT");
    await page.goto("/panel/rules");
    await page.getByRole("link", { name: "Set up a second factor" }).click();
    await page.getByText("Your project requires it.").waitFor();
    await page.getByRole("button", { name: "Set it up" }).waitFor();
    await accessible(page);
  });
});
