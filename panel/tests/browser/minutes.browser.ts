import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, launch, PASSWORD, shot, visit } from "./visit";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

test("a stranger signs up, makes a rule and watches the first notification arrive (P1)", async () => {
  const { page, complaints } = await visit(browser);
  await page.goto("/");
  await page.waitForURL("**/panel/signin");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await accessible(page);
  await shot(page, "signin");
  await page.getByRole("link", { name: "Make a project" }).click();
  await page.getByLabel("Project").fill("Acme Logistics");
  await page.getByLabel("E-mail").fill(`first+${Date.now()}@example.com`);
  await page.getByLabel(/^Password/).fill("short");
  await page.getByRole("button", { name: "Begin" }).click();
  await page.getByText(/at least 8 characters/).waitFor();
  await shot(page, "signup-refused");
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole("button", { name: "Begin" }).click();

  await page.getByRole("heading", { name: "Four steps to the first notification" }).waitFor();
  await accessible(page);
  await shot(page, "welcome-1-name");
  await page.getByLabel("Colour").fill("#0F7B6C");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("button", { name: /Webhook/ }).first().waitFor();
  await accessible(page);
  await shot(page, "welcome-2-channel");
  await page.getByRole("button", { name: "Sockets are enough for now" }).click();
  await page.getByRole("radio", { name: /Failed payments/ }).click();
  await accessible(page);
  await shot(page, "welcome-3-rule");
  await page.getByRole("button", { name: "Make this rule" }).click();
  await page.getByText("With your own test key.").waitFor();
  await page.getByRole("button", { name: "Send payment.failed" }).click();
  await page.getByText("Matched").waitFor();
  await page.getByRole("button", { name: "To the panel" }).waitFor();
  await accessible(page);
  await shot(page, "welcome-4-watch");

  await page.getByRole("button", { name: "To the panel" }).click();
  await page.getByRole("heading", { name: "Acme Logistics" }).waitFor();
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.getByRole("link", { name: "payment.failed" }).waitFor();
  await accessible(page);
  await shot(page, "home");

  await page.reload();
  await page.getByRole("heading", { name: "Acme Logistics" }).waitFor();
  expect(complaints.filter((each) => !each.includes("422"))).toEqual([]);
});
