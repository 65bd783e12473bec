import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mailed, tokens } from "./far";
import { totp } from "./totp";
import { accessible, fits, good, launch, PASSWORD, post, project, settled, shot, URL_, visit, type Project } from "./visit";

const EMAIL = "root@operator.example";

let browser: Browser;
let acme: Project;
let token: string;
beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Shipping");
  await post("/rules", { name: "Failed payments", eventTypes: ["payment.*"], targetRoles: ["owner"], channels: ["realtime"], title: "Payment failed" }, acme);
  await post("/connections", { provider: "webhook", name: "Our backend", settings: { url: "http://127.0.0.1:9/hooks" } }, acme);
  for (const type of ["payment.failed", "payment.failed", "order.created"]) await post("/events", { type, payload: {} }, acme);
});
afterAll(() => browser?.close());

async function call(path: string, method = "GET", body?: unknown) {
  token ||= (await post("/platform/auth/login", { email: EMAIL, password: PASSWORD })).tokens.accessToken;
  const answer = await fetch(`${URL_}/api/v1/platform${path}`, { method, headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` }, ...(method !== "GET" && { body: JSON.stringify(body) }) });
  const said = answer.status === 204 ? null : await answer.json();
  expect(answer.ok, `${path}: ${JSON.stringify(said)}`).toBe(true);
  return said;
}

async function signIn(page: Page, email = EMAIL): Promise<void> {
  await page.goto("/platform/");
  await page.waitForURL("**/platform/signin");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Places" }).waitFor({ state: "attached" });
}

test("the first admin comes by a link, whose token leaves the address (O1)", async () => {
  const { page, complaints } = await visit(browser);
  await page.goto(`/platform/setup#${process.env.TOCSIN_SETUP_TOKEN}`);
  await page.getByRole("heading", { name: "The first admin" }).waitFor();
  expect(page.url()).toBe(`${URL_}/platform/setup`);
  await page.getByLabel("E-mail").fill(EMAIL);
  await page.getByLabel("Name").fill("Rita Root");
  await page.getByLabel(/^Password/).fill("short");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/at least 8 characters/).waitFor();
  await accessible(page);
  await shot(page, "platform-setup");
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(`Sign in as ${EMAIL}.`).waitFor();
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Sign in to the platform" }).waitFor();
  await accessible(page);
  await shot(page, "platform-signin");
  await signIn(page);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  expect(complaints.filter((each) => !each.includes("422"))).toEqual([]);
  await page.context().close();
});

test("an operator makes a project, suspends and activates it (P2)", async () => {
  const { page, complaints } = await visit(browser);
  await signIn(page);
  await page.getByRole("link", { name: "Projects" }).click();
  await page.getByRole("button", { name: "New project" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("Initech");
  await page.getByRole("dialog").getByLabel("Slug").fill("Not a slug");
  await page.getByRole("dialog").getByLabel("E-mail of the owner").fill("owner@initech.example.com");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("dialog").locator("[id$=slug-error], .mantine-TextInput-error").first().waitFor();
  await accessible(page);
  await shot(page, "platform-project-new");
  await page.getByRole("dialog").getByLabel("Slug").fill("");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("heading", { name: "Initech" }).waitFor();
  expect(await page.locator('pre[aria-label="One-time link"]').innerText()).toContain("#lt_");
  await settled(page);
  await accessible(page);
  await shot(page, "platform-project-made");

  await page.getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill("unpaid since May");
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
  await page.getByText("Suspended: unpaid since May.").waitFor();
  await accessible(page);
  await shot(page, "platform-project-suspended");
  await page.getByRole("button", { name: "Activate" }).click();
  await page.getByText("It works again").waitFor();
  await page.getByRole("button", { name: "Suspend" }).waitFor();

  await page.getByRole("button", { name: "Change" }).click();
  await page.getByRole("textbox", { name: "Rules" }).fill("7");
  await page.getByRole("checkbox", { name: "People: unlimited" }).check();
  await accessible(page);
  await shot(page, "platform-project-limits");
  await page.getByRole("button", { name: "Save" }).last().click();
  await page.getByText("Rules: 7").waitFor();
  const { items } = await call("/projects?search=initech");
  expect((await call(`/projects/${items[0].id}`)).overrides.quotas).toEqual({ rules: 7, users: null });

  await page.getByRole("button", { name: "Delete" }).click();
  const remove = page.getByRole("dialog").getByRole("button", { name: "Delete" });
  expect(await remove.isDisabled()).toBe(true);
  await page.getByRole("dialog").getByLabel("Type initech to be sure").fill("initech");
  await remove.click();
  await page.getByText("Cancelled: read-only").waitFor();
  await page.getByRole("button", { name: "Restore" }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });

  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
  expect(file.suggestedFilename()).toBe("initech.jsonl");
  expect(complaints.filter((each) => !each.includes("422"))).toEqual([]);
  await page.context().close();
});

test("logging in as a project opens its panel under a banner, and ends with it (T4)", async () => {
  const { page, complaints } = await visit(browser);
  await signIn(page);
  await page.goto("/platform/projects?search=shipping");
  await page.getByRole("link", { name: "Acme Shipping" }).click();
  await page.getByRole("button", { name: "Log in as" }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill("Ticket 4711: deliveries fail");
  await page.getByRole("radiogroup", { name: "Minutes" }).getByText("15").click();
  await accessible(page);
  await shot(page, "platform-log-in-as");
  await page.getByRole("dialog").getByRole("button", { name: "Enter" }).click();

  const banner = page.getByRole("complementary", { name: "Visit" });
  await page.waitForURL("**/platform/visit/*/");
  await banner.getByText("Rita Root in Acme Shipping").waitFor();
  await banner.getByText("Ticket 4711: deliveries fail").waitFor();
  expect(await banner.getByRole("timer").innerText()).toMatch(/^14:\d\d$|^15:00$/);
  await page.getByRole("heading", { name: "Acme Shipping" }).waitFor();
  await page.getByText("Connected", { exact: true }).waitFor();
  await settled(page);
  await accessible(page);
  await shot(page, "platform-visit-home");

  await page.getByRole("link", { name: "Rules", exact: true }).click();
  await page.getByRole("link", { name: "Failed payments" }).click();
  await page.getByRole("heading", { name: "Failed payments" }).waitFor();
  expect(page.url()).toMatch(/\/platform\/visit\/[0-9a-f-]{36}\/rules\//);
  await page.reload();
  await page.getByRole("heading", { name: "Failed payments" }).waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").waitFor();
  // Even over a dialog, what is seen at its place is the banner.
  expect(await page.evaluate("document.elementFromPoint(40, 20).closest('aside.visit') !== null")).toBe(true);
  await shot(page, "platform-visit-dialog");

  await banner.getByRole("button", { name: "End now" }).click();
  await page.getByRole("heading", { name: "The visit to Acme Shipping is over" }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await accessible(page);
  await shot(page, "platform-visit-over");
  await page.reload();
  await page.getByRole("heading", { name: "The visit to Acme Shipping is over" }).waitFor();
  await page.getByRole("link", { name: "Back to the platform" }).click();
  await page.getByRole("heading", { name: "Acme Shipping" }).waitFor();
  const audit = await post("/audit?action=platform.entered", null, acme, "live", "GET");
  expect(audit.items[0].metadata.reason).toBe("Ticket 4711: deliveries fail");
  expect(complaints).toEqual([]);
  await page.context().close();
});

test("a visit that somebody else ended is over on the open page (T4)", async () => {
  const { page } = await visit(browser);
  await signIn(page);
  const { items } = await call("/projects?search=shipping");
  const begun = await call(`/projects/${items[0].id}/login-as`, "POST", { reason: "Looking only", minutes: 5, write: false });
  await page.goto(`/platform/visit/${begun.id}/rules`);
  await page.getByRole("complementary", { name: "Visit" }).getByText("reading only").waitFor();
  await page.getByRole("link", { name: "Failed payments" }).waitFor();
  expect(await page.getByRole("link", { name: "Make a rule" }).count()).toBe(0);
  await page.setViewportSize({ width: 390, height: 844 });
  await accessible(page);
  await fits(page);
  await shot(page, "platform-visit-phone");
  await page.getByText("Connected", { exact: true }).waitFor({ state: "attached" });
  await call(`/visits/${begun.id}`, "DELETE");
  await page.getByRole("heading", { name: "The visit to Acme Shipping is over" }).waitFor();
  await page.context().close();
});

test("a visit ends by itself when its time has come (T4)", async () => {
  const { page } = await visit(browser);
  await signIn(page);
  const { items } = await call("/projects?search=shipping");
  const { id } = await call(`/projects/${items[0].id}/login-as`, "POST", { reason: "A minute", minutes: 1 });
  await page.clock.install();
  await page.goto(`/platform/visit/${id}/rules`);
  await page.getByRole("timer").getByText(/^(1:00|0:\d\d)$/).waitFor();
  await page.getByRole("link", { name: "Failed payments" }).waitFor();
  await page.clock.fastForward(60_000);
  await page.getByRole("heading", { name: "The visit to Acme Shipping is over" }).waitFor();
  expect(await page.getByRole("link", { name: "Failed payments" }).count()).toBe(0);
  await page.context().close();
});

test("a role sees what it may, and no more (A6)", async () => {
  const added = await call("/admins", "POST", { email: "bill@operator.example", name: "Bill", role: "billing" });
  await post("/platform/setup", { token: added.setupUrl.split("#")[1], password: PASSWORD });
  const { page } = await visit(browser);
  await signIn(page, "bill@operator.example");
  await settled(page);
  const places = await page.getByRole("navigation", { name: "Places" }).getByRole("link").allInnerTexts();
  expect(places).toEqual(["Overview", "Projects", "Usage", "Plans"]);
  await page.goto("/platform/projects?search=shipping");
  await page.getByRole("link", { name: "Acme Shipping" }).click();
  await page.getByRole("heading", { name: "Plan and billing" }).waitFor();
  expect(await page.getByRole("button", { name: /Log in as|Suspend|Delete/ }).count()).toBe(0);
  await page.context().close();
});

const PAGES = ["/", "/projects", "project", "/usage", "/plans", "/connections", "/connections/new", "connection", "/visits", "/admins", "/audit", "/settings", "/me/security"];
const EMPTY = ["/projects?search=nothing-such", "/nothing/such"];

test("every page is as good in light, dark and on a phone (P3)", async () => {
  const { page, complaints } = await visit(browser);
  await signIn(page);
  const [one] = (await call("/projects?search=shipping")).items;
  const [connection] = (await call(`/connections?projectId=${one.id}`)).items;
  const paths: Record<string, string> = { project: `/projects/${one.id}`, connection: `/connections/${connection.id}` };
  const word = (name: string) => name.replace(/\W+/g, "-").replace(/^-/, "") || "overview";
  for (const name of [...PAGES, ...EMPTY]) {
    await page.goto(`/platform${paths[name] ?? name}`);
    await good(page, `platform-${word(name)}`, EMPTY.includes(name) ? ["light"] : undefined);
  }
  expect(complaints).toEqual([]);
  await page.context().close();
});

test("plans, admins, settings and a connection are changed where they are shown (P2)", async () => {
  const { page, complaints } = await visit(browser);
  await signIn(page);
  await page.goto("/platform/plans");
  await page.getByRole("button", { name: "Add a plan" }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByLabel("Name").fill("team");
  await drawer.getByLabel("Label").fill("Team");
  await drawer.getByLabel("USD a month").fill("99");
  await drawer.getByLabel("Support").fill("e-mail");
  await accessible(page);
  await shot(page, "platform-plan-new");
  await drawer.getByRole("button", { name: "Save" }).click();
  await page.getByRole("columnheader", { name: /Team/ }).waitFor();
  expect((await call("/plans")).plans.map(({ name }: { name: string }) => name)).toEqual(["free", "starter", "team", "professional", "enterprise"]);

  await page.goto("/platform/admins");
  await page.getByRole("button", { name: "Add an admin" }).click();
  await page.getByRole("dialog").getByLabel("E-mail").fill("sue@operator.example");
  await page.getByRole("dialog").getByLabel("Name").fill("Sue");
  await accessible(page);
  await shot(page, "platform-admin-new");
  await page.getByRole("dialog").getByRole("button", { name: "Add" }).click();
  await page.locator('pre[aria-label="One-time link"]').waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("row", { name: /Sue/ }).getByRole("button").click();
  await page.getByRole("menuitem", { name: "Make Billing" }).click();
  await page.getByRole("row", { name: /Sue.*Billing/ }).waitFor();
  await shot(page, "platform-admin-made");

  await page.goto("/platform/settings");
  await page.getByLabel("Announcement").fill("Down on Sunday, 02:00 UTC.");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  expect((await call("/about")).announcement).toBe("Down on Sunday, 02:00 UTC.");

  const [connection] = (await call("/connections?provider=webhook")).items;
  await page.goto(`/platform/connections/${connection.id}`);
  await page.getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill("It sends spam");
  await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
  await page.getByText("It sends spam").waitFor();
  await page.getByRole("button", { name: "Activate" }).click();
  await page.getByText("It may send again.").waitFor();
  await page.getByRole("button", { name: "Suspend" }).waitFor();
  await page.getByLabel("Messages a second").fill("5");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByLabel("Reason").fill("Ticket 4711");
  await page.getByRole("button", { name: "Look" }).click();
  await page.getByText("On record until").waitFor();
  await accessible(page);
  await shot(page, "platform-connection-looked");
  expect(complaints).toEqual([]);
  await page.context().close();
});

test("a plan is called what people call it, and on a phone one is looked at at a time (P2)", async () => {
  const { page, complaints } = await visit(browser, { width: 390 });
  await signIn(page);
  await page.goto("/platform/projects?search=shipping");
  await page.getByText("Enterprise", { exact: true }).first().waitFor();
  await page.getByRole("link", { name: "Acme Shipping" }).click();
  await page.locator(".facts").getByText("Enterprise", { exact: true }).waitFor();
  await page.goto("/platform/usage");
  await page.locator(".chip", { hasText: "Enterprise" }).first().waitFor();
  await page.goto("/platform/plans");
  await page.getByRole("combobox", { name: "Plan" }).click();
  await page.getByRole("option", { name: "Professional" }).click();
  await page.getByRole("columnheader", { name: "Professional" }).waitFor();
  expect(await page.getByRole("columnheader").count()).toBe(2);
  expect(await page.evaluate(`(() => { const box = document.querySelector(".compare"); return box.scrollWidth - box.clientWidth; })()`)).toBe(0);
  await accessible(page);
  await shot(page, "platform-phone-plan");
  expect(complaints).toEqual([]);
  await page.context().close();
});

test("where the provider of a lent number is to call stands on its page (C8)", async () => {
  const settings = { phoneNumberId: "106540352240001", businessAccountId: "102290129330001", template: "alert" };
  const lent = await call("/connections", "POST", { provider: "whatsapp", name: "Number for all", settings, credentials: { accessToken: "token-of-the-operator", appSecret: "0123456789abcdef0123456789abcdef" } });
  const setup = await call(`/connections/${lent.id}/setup`);
  expect(setup.address).toMatch(/^https:\/\/alerts\.example\.com\/api\/v1\/hooks\/whatsapp\//);
  const { page, complaints } = await visit(browser);
  await signIn(page);
  await page.goto(`/platform/connections/${lent.id}`);
  await page.getByRole("heading", { name: "Set-up" }).waitFor();
  await page.getByText(setup.address).waitFor();
  await page.getByText(setup.verifyToken).waitFor();
  await settled(page);
  await accessible(page);
  await shot(page, "platform-lent-setup");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.reload();
  await page.getByText(setup.address).waitFor();
  await fits(page);
  await shot(page, "platform-phone-lent-setup");
  expect(complaints).toEqual([]);
  await page.context().close();
  await call(`/connections/${lent.id}`, "DELETE");
});

test("a mail server is lent to all projects, verified, changed and taken back (C4)", async () => {
  const { port } = new URL(process.env.SMTP_URL!);
  const { page, complaints } = await visit(browser);
  await signIn(page);
  await page.goto("/platform/connections");
  await page.getByRole("link", { name: "Lend a connection" }).click();
  await page.getByRole("button", { name: /E-mail \(SMTP\)/ }).waitFor();
  // What reaches a project alone is not lent.
  expect(await page.getByRole("button", { name: /Slack|Webhook|Telegram/ }).count()).toBe(0);
  await page.getByRole("button", { name: /E-mail \(SMTP\)/ }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Mail for everybody");
  await page.getByLabel("Server").fill("127.0.0.1");
  await page.getByLabel("Port").fill(port);
  await page.getByRole("combobox", { name: "Encryption" }).click();
  await page.getByRole("option", { name: "none" }).click();
  await page.getByRole("button", { name: "Connect" }).click();
  await page.locator(".mantine-TextInput-error").first().waitFor();
  await page.getByLabel("From").fill("lent@operator.example");
  await accessible(page);
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByRole("heading", { name: "Mail for everybody" }).waitFor();

  await page.getByLabel("Send a test message to").fill("probe@operator.example");
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("A test message was sent.").waitFor();
  await settled(page);
  await accessible(page);
  await shot(page, "platform-lent");
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Sender's name").fill("Tocsin for all");
  await page.getByRole("switch", { name: "Stands in for others" }).click();
  await accessible(page);
  await shot(page, "platform-lent-change");
  await page.getByRole("button", { name: "Save" }).first().click();
  await page.getByText("Tocsin for all").waitFor();
  const [lent] = (await call("/connections?owner=platform")).items;
  expect(lent).toMatchObject({ provider: "smtp", status: "active", isDefault: true, useAsFallback: false });

  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { name: "Connections" }).waitFor();
  expect((await call("/connections?owner=platform")).items).toEqual([]);
  expect(complaints.filter((each) => !each.includes("422"))).toEqual([]);
  await page.context().close();
});

test("a key that is made for a lent connection is shown once, and what follows from it is not asked for (C4)", async () => {
  const { page, complaints } = await visit(browser);
  await signIn(page);
  await page.goto("/platform/connections/new?provider=webpush");
  await page.getByLabel("Contact").fill("mailto:ops@operator.example");
  expect(await page.getByLabel("Public key").count()).toBe(0);
  await page.getByRole("button", { name: "Connect" }).click();
  const secret = (await page.locator('pre[aria-label="Signing secret"]').innerText()).trim();
  expect(secret).toMatch(/^[\w-]{43}$/);
  await accessible(page);
  await page.reload();
  await page.getByRole("heading", { name: "Web Push" }).waitFor();
  expect(await page.getByText(secret).count()).toBe(0);
  expect(complaints).toEqual([]);
  await page.context().close();
  for (const { id } of (await call("/connections?owner=platform")).items) await call(`/connections/${id}`, "DELETE");
});

test("an admin guards the account by a second factor, and ends other sign-ins (A2)", async () => {
  const email = "gus@operator.example";
  const added = await call("/admins", "POST", { email, name: "Gus", role: "support" });
  await post("/platform/setup", { token: added.setupUrl.split("#")[1], password: PASSWORD });
  await post("/platform/auth/login", { email, password: PASSWORD });
  const { page, complaints } = await visit(browser);
  await signIn(page, email);
  // A support admin sees the platform's connections, and lends none.
  await page.goto("/platform/connections");
  await page.getByRole("heading", { name: "Connections" }).waitFor();
  expect(await page.getByRole("link", { name: "Lend a connection" }).count()).toBe(0);

  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Security" }).click();
  await page.getByRole("button", { name: "Set it up" }).click();
  await page.getByLabel("Your password").first().fill(PASSWORD);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("img", { name: "Secret for your authenticator app" }).waitFor();
  const secret = await page.locator(".scan code").innerText();
  await page.getByLabel("Code of the app").fill(totp(secret, -1));
  await page.getByRole("button", { name: "Turn it on" }).click();
  const codes = page.getByRole("list", { name: "Recovery codes" }).getByRole("listitem");
  await codes.first().waitFor();
  const [recovery] = await codes.allInnerTexts();
  await accessible(page);
  await shot(page, "platform-recovery-codes");
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.getByText("10 recovery codes are left.").waitFor();

  await page.getByRole("button", { name: "Sign out elsewhere" }).click();
  await page.getByText("You are signed out everywhere else.").waitFor();
  await page.getByLabel("Present password").fill(PASSWORD);
  await page.getByLabel("New password").fill(`${PASSWORD} anew`);
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("The password is changed.").waitFor();
  await page.getByLabel("New address").fill("gustav@operator.example");
  await page.getByLabel("Your password").fill(`${PASSWORD} anew`);
  const before = tokens("gustav@operator.example");
  await page.getByRole("button", { name: "Change the address" }).click();
  await page.getByText("A mail with a link went to gustav@operator.example").waitFor();
  await post("/auth/email/verify", { token: await mailed("gustav@operator.example", before) });
  await page.reload();
  await page.getByText("gustav@operator.example", { exact: true }).waitFor();

  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.waitForURL("**/platform/signin**");
  await page.getByLabel("E-mail").fill("gustav@operator.example");
  await page.getByLabel(/^Password/).fill(`${PASSWORD} anew`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Code").fill(recovery!);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Places" }).waitFor({ state: "attached" });
  await page.goto("/platform/me/security");
  await page.getByRole("button", { name: "Turn it off" }).click();
  await page.getByLabel("Your password").first().fill(`${PASSWORD} anew`);
  await page.getByLabel(/^Code/).fill(totp(secret, 1));
  await page.getByRole("button", { name: "Turn it off" }).click();
  await page.getByRole("button", { name: "Set it up" }).waitFor();
  expect(complaints.filter((each) => !each.includes("401"))).toEqual([]);
  await page.context().close();
});
