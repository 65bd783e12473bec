import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { person, type Person } from "./far";
import { accessible, fits, launch, post, project, type Project, shot, signIn, visit } from "./visit";

let browser: Browser;
let page: Page;
let complaints: string[];
let acme: Project;
let ann: Person;
beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Corners");
  ann = await person(acme, "Ann", ["user"]);
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme);
});
afterAll(() => browser?.close());

const get = (path: string) => post(path, null, acme, "live", "GET");

test("a plan is called what people call it", async () => {
  expect((await get("/projects/me")).plan).toBe("enterprise");
  await page.goto("/panel/settings");
  await page.locator(".facts").getByText("Enterprise", { exact: true }).waitFor();
  await page.goto("/panel/usage");
  await page.getByText("is on the plan “Enterprise”").waitFor();
});

test("a project without a domain and a sign-in provider is not asked for them", async () => {
  await page.goto("/panel/settings/domain");
  await page.getByLabel("Name").fill(`alerts.${acme.slug}.example.com`);
  await page.getByRole("button", { name: "Claim it" }).click();
  await page.getByRole("heading", { name: "Records to set" }).waitFor();
  await page.getByRole("button", { name: "Give it up" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Give it up" }).click();
  await page.getByRole("button", { name: "Claim it" }).waitFor();
  await page.goto("/panel/settings/sso");
  await page.getByRole("heading", { name: "First, at your provider" }).waitFor();
  expect(complaints).toEqual([]);
});

test("how many codes go out by SMS is a field beside its like", async () => {
  await page.goto("/panel/settings");
  const sending = page.getByRole("form", { name: "Sending" });
  await sending.getByLabel("Codes by SMS a day").fill("500");
  await sending.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  expect((await get("/projects/me/settings")).connections).toMatchObject({ phoneCodesPerDay: 500, ownPerProvider: 1, usePlatform: true });
  await sending.scrollIntoViewIfNeeded();
  await accessible(page);
  await shot(page, "corners-codes");
});

test("an endpoint's signing secret is made anew and shown this once, while the old one signs too (H2)", async () => {
  await page.setViewportSize({ width: 1280, height: 800 });
  const made = await post("/webhook-endpoints", { url: "http://127.0.0.1:9/told", eventTypes: ["*"], description: "Backend" }, acme);
  await page.goto(`/panel/webhooks/${made.id}`);
  await page.getByText(`****${made.secret.slice(-4)}`).waitFor();
  await page.getByRole("button", { name: "New secret: Signing secret" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox", { name: "How long the old one goes on signing" }).waitFor();
  await accessible(page);
  await shot(page, "corners-secret-asked");
  await dialog.getByRole("button", { name: "Make it" }).click();
  const secret = (await page.locator('pre[aria-label="Signing secret"]').innerText()).trim();
  expect(secret).toMatch(/^whsec_/);
  expect(secret).not.toBe(made.secret);
  await page.getByText(/^Until .+ every call is signed with both\.$/).waitFor();
  await page.getByText(`****${secret.slice(-4)}`).waitFor();
  await page.getByText("The old one stops signing").waitFor();
  expect(Date.parse((await get(`/webhook-endpoints/${made.id}`)).previousSecretUntil)).toBeGreaterThan(Date.now());
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await accessible(page);
  await shot(page, "corners-secret-made");
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  const copy = page.locator(".notice").getByRole("button", { name: "Copy" });
  await expect.poll(async () => copy.boundingBox().then((box) => box!.x + box!.width), { timeout: 5_000 }).toBeLessThan(390 - 32);
  await shot(page, "corners-secret-phone");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.reload();
  await page.getByText("The old one stops signing").waitFor();
  expect(await page.getByText(secret).count()).toBe(0);
});

const sandbox = () => page.getByText("Test: everything runs");

async function signOut(): Promise<void> {
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
}

test("Live or Test is whose choice it was; without the switch it is Live (P5)", async () => {
  await page.getByRole("radiogroup", { name: "Environment" }).getByText("Test").click();
  await sandbox().waitFor();
  await page.reload();
  await sandbox().waitFor();
  await signOut();
  await signIn(page, ann);
  await page.goto("/panel/me?env=test");
  await page.getByRole("navigation", { name: "Your pages" }).waitFor();
  expect(await sandbox().count()).toBe(0);
  expect(await page.getByText("From here your own things can be read").count()).toBe(0);
  await page.keyboard.press("Control+k");
  await page.getByRole("textbox", { name: "Search" }).fill("Switch");
  await page.getByRole("button", { name: "Switch light and dark" }).waitFor();
  expect(await page.getByRole("button", { name: /Switch to/ }).count()).toBe(0);
  await page.keyboard.press("Escape");
  await shot(page, "corners-own-live");
  await signOut();
  await signIn(page, acme);
  await sandbox().waitFor();
  // What was under way when somebody signed out.
  expect(complaints.filter((each) => !each.includes("status of 401"))).toEqual([]);
});
