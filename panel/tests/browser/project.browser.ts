import { createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seeded, type Seeded } from "./seed";
import { accessible, good, launch, post, settled, shot, signIn, URL_, visit, type Project } from "./visit";

let browser: Browser;
let acme: Seeded;
let page: Page;
let complaints: string[];
beforeAll(async () => {
  browser = await launch();
  acme = await seeded("Acme Freight");
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme.project);
});
afterAll(async () => {
  await browser?.close();
  await acme?.end();
});

const get = (path: string, env: "live" | "test" = "live") => post(path, null, acme.project, env, "GET");

async function opened(of: Page, path: string): Promise<void> {
  await of.goto(`/panel${path}`);
  await settled(of);
}

const PAGES = {
  general: "/settings",
  branding: "/settings/branding",
  domain: "/settings/domain",
  security: "/settings/security",
  sso: "/settings/sso",
  invitations: "/settings/invitations",
  privacy: "/settings/privacy",
  ownership: "/settings/ownership",
  usage: "/usage",
  analytics: "/analytics?days=7",
  import: "/users/import",
};

const ALSO: Partial<Record<string, ("dark" | "phone")[]>> = {
  general: ["phone"],
  branding: ["dark", "phone"],
  usage: ["phone"],
  analytics: ["dark", "phone"],
};

test.each(Object.entries(PAGES))("%s is whole, accessible, and fits (P3)", async (name, path) => {
  complaints.length = 0;
  await opened(page, path);
  await good(page, `project-${name}`, ["light", ...(ALSO[name] ?? [])]);
  expect(complaints).toEqual([]);
});

test("the name is changed everywhere at once, and each part is saved by itself (P1)", async () => {
  await opened(page, "/settings");
  const about = page.getByRole("form", { name: "Project" });
  await about.getByLabel("Name").fill("Acme Cargo");
  await about.getByRole("button", { name: "Save" }).click();
  await page.getByRole("banner").getByText("Acme Cargo").waitFor();
  const region = page.getByRole("form", { name: "Place and language" });
  await region.getByLabel("Time zone").fill("Vienna");
  await page.getByRole("option", { name: "Europe/Vienna" }).click();
  await region.getByLabel("Billing contact").fill("bills@example.com");
  await region.getByRole("button", { name: "Save" }).click();
  const quiet = page.getByRole("form", { name: "Quiet hours" });
  await quiet.getByLabel("Keep quiet hours").click();
  await quiet.getByText("Sun", { exact: true }).click();
  await quiet.getByRole("button", { name: "Save" }).click();
  await expect.poll(() => get("/projects/me/settings")).toMatchObject({
    timezone: "Europe/Vienna",
    billingEmail: "bills@example.com",
    quietHours: { from: "22:00", to: "07:00", days: ["mon", "tue", "wed", "thu", "fri", "sat"] },
  });
  await shot(page, "project-general-saved");
});

test("what the server refuses stands at its field: a list of addresses that locks one out", async () => {
  await opened(page, "/settings/security");
  await page.getByRole("combobox", { name: "Only from these addresses" }).fill("203.0.113.0/24");
  await page.keyboard.press("Enter");
  await page.getByRole("form", { name: "Who gets in" }).getByRole("button", { name: "Save" }).click();
  await page.getByText(/leaves out your own address/).first().waitFor();
  await accessible(page);
  await shot(page, "project-security-refused");
  expect((await get("/projects/me/settings")).security.ipAllowList).toEqual([]);
});

test("a secret is made anew, shown this once, and signs people in (A5)", async () => {
  await opened(page, "/settings/security");
  await page.getByRole("button", { name: "New secret: Identity secret (Live)" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make it" }).click();
  const secret = (await page.locator('pre[aria-label="Identity secret (Live)"]').innerText()).trim();
  await page.getByText(/The one before counts until/).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await accessible(page);
  await shot(page, "project-secret");
  expect((await registered(acme.project, secret)).user.status).toBe("active");
  await page.reload();
  await settled(page);
  expect(await page.getByText(secret).count()).toBe(0);
});

test("the preview follows the form, and what is saved dresses the panel (P4)", async () => {
  await opened(page, "/settings/branding");
  const preview = page.getByRole("group", { name: "Preview" });
  await page.getByLabel("Colour", { exact: true }).fill("#FFD400");
  await page.getByText(/Too light for text on white/).waitFor();
  await page.getByLabel("End of every mail").fill("Acme Cargo, 1 Harbour Road");
  await page.getByRole("group", { name: "Mail" }).getByText("Acme Cargo, 1 Harbour Road").waitFor();
  const colour = (of: Locator) => of.evaluate((each) => getComputedStyle(each).backgroundColor);
  expect(await colour(page.getByRole("group", { name: "Mail" }).locator(".preview-button"))).toBe("rgb(255, 212, 0)");
  const foreseen = await colour(preview.locator(".preview-button"));
  await page.getByLabel("Logo").fill("http://example.com/logo.png");
  await page.getByLabel("Style sheet").fill(".brand-name { letter-spacing: 1px }");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/must begin with https/i).first().waitFor();
  await page.getByLabel("Logo").fill("");
  await accessible(page);
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(() => get("/projects/me/branding")).toMatchObject({ brandColor: "#FFD400", emailFooter: "Acme Cargo, 1 Harbour Road" });
  const name = page.getByRole("banner").locator(".brand-name");
  await expect.poll(() => name.evaluate((each) => getComputedStyle(each).letterSpacing)).toBe("1px");
  await page.getByLabel("End of every mail").fill("Acme Cargo, 2 Harbour Road");
  await page.mouse.move(0, 0);
  await expect.poll(() => colour(page.getByRole("button", { name: "Save" }))).toBe(foreseen);
  await page.getByRole("radiogroup", { name: "Colours of the preview" }).getByText("Dark").click();
  await accessible(page);
  await shot(page, "project-branding-yellow");
});

test("a domain is claimed, its records stand there, and a lookup says what is missing (P4)", async () => {
  await opened(page, "/settings/domain");
  await page.getByLabel("Name").fill("alerts.acme-freight.example.com");
  await page.getByRole("button", { name: "Claim it" }).click();
  const records = page.getByRole("table", { name: "DNS records" });
  await records.getByText("_tocsin.alerts.acme-freight.example.com").waitFor();
  await page.getByRole("button", { name: "Verify" }).click();
  await page.locator(".failed").getByText(/DNS/).waitFor();
  await accessible(page);
  await shot(page, "project-domain-claimed");
  await page.getByRole("button", { name: "Give it up" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Give it up" }).click();
  await page.getByRole("button", { name: "Claim it" }).waitFor();
});

test("single sign-on is set up with a provider that answers, tested, and ended (A6)", async () => {
  const issuer = await provider();
  await opened(page, "/settings/sso");
  await page.getByLabel("Issuer").fill("http://127.0.0.1:9/nobody");
  await page.getByLabel("Client id").fill("panel");
  await page.getByRole("textbox", { name: "Client secret" }).fill("s3cret-s3cret");
  await page.getByRole("combobox", { name: "Addresses to come back to" }).fill("https://app.example.com/in");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".failed").getByText(/issuer|provider|connect/i).waitFor();
  await shot(page, "project-sso-refused");
  await page.getByLabel("Issuer").fill(issuer.url);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await page.getByText("It has 1 key to sign with.").waitFor();
  await accessible(page);
  await shot(page, "project-sso");
  await page.getByRole("button", { name: "End it" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End it" }).click();
  await page.getByText("First, at your provider").waitFor();
  issuer.server.close();
});

test("somebody is invited, and the invitation withdrawn (A4)", async () => {
  await opened(page, "/settings/invitations");
  await page.getByRole("button", { name: "Invite somebody" }).click();
  await page.getByRole("dialog").getByLabel("E-mail").fill("newcomer@example.com");
  await page.getByRole("dialog").getByRole("combobox", { name: "Roles" }).press("ArrowDown");
  await page.getByRole("option", { name: "finance" }).click();
  await page.keyboard.press("Tab");
  await page.getByRole("dialog").getByRole("button", { name: "Invite" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const row = page.getByRole("row", { name: /newcomer@example.com/ });
  await row.getByText("Open").waitFor();
  await accessible(page);
  await shot(page, "project-invitations");
  await row.getByRole("button", { name: "Withdraw" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
  await row.getByText("Withdrawn").waitFor();
});

test("how long things are kept is set, and everything is taken away as a file", async () => {
  await opened(page, "/settings/privacy");
  const kept = page.getByRole("form", { name: "How long things are kept" });
  await kept.getByLabel("Events").fill("90");
  await kept.getByRole("button", { name: "Save" }).click();
  await expect.poll(async () => (await get("/projects/me/compliance")).retentionDays.events).toBe(90);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
  const lines = readFileSync(await download.path(), "utf8").trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.filter(({ table }) => table === "rules").map(({ row }) => (row as { name: string }).name)).toContain("Large orders");
  expect(lines.at(-1)).toHaveProperty("end");
  await shot(page, "project-privacy");
});

test("usage stands as the server counts it, with a bar where there is a limit (Q4)", async () => {
  await opened(page, "/usage");
  const { quotas } = await get("/projects/me/usage?period=monthly");
  const rules = quotas.find(({ quota }: { quota: string }) => quota === "rules");
  await page.locator(".quota", { hasText: "Rules" }).getByText(`${rules.used}, unlimited`).waitFor();
  await post("/events", { type: "tried.out", payload: {} }, acme.project, "test");
  await page.getByRole("radiogroup", { name: "Environment" }).getByText("Test").click();
  await page.getByText("1 of 10,000").waitFor();
  await page.getByRole("progressbar", { name: /Events of today in Test/ }).waitFor({ state: "attached" });
  await accessible(page);
  await shot(page, "project-usage-test");
  await page.getByRole("radiogroup", { name: "Environment" }).getByText("Live").click();
});

test("analytics say what the API counts; channel and range are in the address (P1)", async () => {
  const open = (await get("/notifications?acknowledged=false")).items[0];
  await post(`/notifications/${open.id}/acknowledge`, {}, acme.project, "live", "PUT");
  await opened(page, "/analytics");
  const stats = await get("/notifications/stats?hours=336");
  await page.locator(".figure", { hasText: "Notifications" }).getByText(String(stats.notifications), { exact: true }).waitFor();
  await page.locator(".figure", { hasText: "half were faster" }).waitFor();
  const reached = stats.days.at(-1).channels.realtime.sent;
  const row = page.getByRole("row", { name: /^realtime/ });
  expect(await row.getByRole("cell").nth(1).innerText()).toBe(String(reached));
  await row.getByRole("button", { name: "realtime" }).click();
  await page.waitForURL("**/analytics?channel=realtime");
  const chart = page.getByRole("figure", { name: "Deliveries by realtime, by day" });
  await chart.getByText("As a table").click();
  expect(await chart.getByRole("row").last().getByRole("cell").first().innerText()).toBe(String(reached));
  await page.getByRole("radiogroup", { name: "Range" }).getByText("7 days").click();
  await page.waitForURL(/days=7/);
  await expect.poll(() => chart.getByRole("row").count()).toBe(8);
  await chart.locator("g").last().hover();
  await accessible(page);
  await shot(page, "project-analytics");
});

test("people come from CSV: columns guessed, mistakes marked and left out, a report at the end (P1)", async () => {
  await opened(page, "/users/import");
  const lines = ["Customer ID;E-Mail;Full name;Group;Zone;Shoe size", "n-1;nora@example.com;Nora;finance;Europe/Oslo;38", "n-2;broken;Ben;;;", "n-3;cy@example.com;Cy;cook;;", "n-4;dora@example.com;Dora;;Mars/Phobos;", "n-1;;Nora again;;;"];
  await page.getByLabel("Or paste it").fill(lines.join("\n"));
  await page.getByRole("button", { name: "Look at it" }).click();
  await page.getByText("3 rows have mistakes and are left out").waitFor();
  await page.getByText("“broken” is no e-mail address").waitFor();
  await page.getByText("the same person as in line 2").waitFor();
  await page.getByRole("combobox", { name: "Zone" }).click();
  await page.getByRole("option", { name: "Time zone" }).click();
  await accessible(page);
  await shot(page, "project-import-preview");
  await page.getByRole("button", { name: "Bring 2 people in" }).click();
  await page.getByText("Done", { exact: true }).waitFor();
  await page.getByText("Line 5").waitFor();
  await accessible(page);
  await shot(page, "project-import-done");
  const [nora] = (await get("/users?externalUserId=n-1")).items;
  expect(nora).toMatchObject({ name: "Nora", roles: ["finance"], timezone: "Europe/Oslo", metadata: { "Shoe size": "38" } });
  expect((await get("/users?externalUserId=n-4")).items).toEqual([]);
});

test("a file of more than a thousand comes in steps, and again without making anybody twice", async () => {
  await opened(page, "/users/import");
  const people = Array.from({ length: 1_001 }, (_, n) => ({ externalUserId: `bulk-${n}`, name: `Person ${n}` }));
  const file = { name: "people.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(people)) };
  for (const figure of ["Added", "Updated"]) {
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByRole("button", { name: "Bring 1,001 people in" }).click();
    await page.getByText("1,001 of 1,001").waitFor();
    await page.locator(".figure", { hasText: figure }).getByText("1,001", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Another file" }).click();
  }
  await page.getByRole("link", { name: "People", exact: true }).first().waitFor();
});

test("whoever may only read sees no way to change, and no page that is not theirs (A2)", { retry: 0 }, async () => {
  await post("/roles", { name: "reader", permissions: ["own:manage", "project:read"] }, acme.project);
  const { secret } = await post("/projects/me/identity-secrets/rotate", { env: "live" }, acme.project);
  const { tokens, user } = await registered(acme.project, secret);
  await post(`/users/${user.id}`, { roles: ["reader"] }, acme.project, "live", "PUT");
  const { page: seen } = await visit(browser);
  await seen.addInitScript((token) => localStorage.setItem("tocsin.refresh", token), tokens.refreshToken);
  await opened(seen, "/settings");
  await seen.getByRole("form", { name: "Project" }).waitFor();
  expect(await seen.getByRole("button", { name: "Save" }).count()).toBe(0);
  expect(await seen.getByLabel("Name").isDisabled()).toBe(true);
  const tabs = seen.getByRole("navigation", { name: "Settings" });
  expect(await tabs.getByRole("link").allInnerTexts()).toEqual(["General", "Branding", "Domain", "Security", "Single sign-on", "Privacy"]);
  expect(await seen.getByRole("link", { name: "Analytics" }).count()).toBe(0);
  await accessible(seen);
  await shot(seen, "project-reader");
  await seen.context().close();
});

test("a project is deleted only with its name typed, and can be taken back (L2)", async () => {
  await opened(page, "/settings/ownership");
  await page.getByRole("button", { name: "Delete the project" }).click();
  const dialog = page.getByRole("dialog");
  const yes = dialog.getByRole("button", { name: "Delete it" });
  await dialog.getByRole("textbox").fill("Acme");
  expect(await yes.isDisabled()).toBe(true);
  await dialog.getByRole("textbox").fill("Acme Cargo");
  await accessible(page);
  await shot(page, "project-delete");
  await yes.click();
  await page.getByText("This project is cancelled").waitFor();
  await shot(page, "project-cancelled");
  await page.getByRole("button", { name: "Restore the project" }).click();
  await page.getByRole("button", { name: "Delete the project" }).waitFor();
  expect((await get("/projects/me")).cancelledAt).toBeNull();
});

test("nothing of all that made the console complain", () => {
  // Refusals of forms, what is not set up yet, and sockets of a cancelled project: the browser reports each as a failed load.
  const answers = /status of 4(22|04)|status of 403.*realtime\/auth|status of 503.*domain\/verify/;
  expect(complaints.filter((each) => !answers.test(each))).toEqual([]);
});

/** Somebody whom the project's backend vouches for, by a token signed with its identity secret. */
async function registered({ liveKey }: Project, secret: string) {
  const { id } = await get("/projects/me");
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: randomBytes(6).toString("hex"), name: "Grace", aud: id, exp: Math.floor(Date.now() / 1000) + 300, jti: randomBytes(8).toString("hex") };
  const words = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  const identityToken = `${words}.${createHmac("sha256", secret).update(words).digest("base64url")}`;
  const answer = await fetch(`${URL_}/api/v1/users/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-API-Key": liveKey.key },
    body: JSON.stringify({ identityToken }),
  });
  const said = await answer.json();
  expect(answer.status, JSON.stringify(said)).toBe(201);
  return said;
}

/** What OpenID Connect asks of a provider before anybody signs in: its discovery document and a key. */
function provider(): Promise<{ server: Server; url: string }> {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" }];
  const server = createServer((request, response) => {
    const url = `http://${request.headers.host}`;
    const discovery = {
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      jwks_uri: `${url}/keys`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    };
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(request.url === "/keys" ? { keys } : discovery));
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => done({ server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}` }));
  });
}
