import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, good, launch, post, project, type Project, signIn, visit } from "./visit";

let browser: Browser;
let page: Page;
let complaints: string[];
let acme: Project;
beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Record");
  await project("Rival Record");
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme);
});
afterAll(() => browser?.close());

const rows = () => page.getByRole("table", { name: "Audit log" }).locator("tbody tr");

test("a role is made, changed and deleted", async () => {
  await page.goto("/panel/roles");
  await page.getByRole("button", { name: "New role" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("night-shift");
  await dialog.getByLabel("What it is for").fill("Whoever is awake");
  await dialog.getByRole("checkbox", { name: "events:read" }).check();
  await accessible(page);
  await dialog.getByRole("button", { name: "Save" }).click();
  const row = page.getByRole("row").filter({ hasText: "night-shift" });
  await row.getByText("2 permissions").waitFor();
  await row.getByRole("button", { name: "Change night-shift" }).click();
  await dialog.getByRole("checkbox", { name: "rules:read" }).check();
  await dialog.getByRole("button", { name: "Save" }).click();
  await row.getByText("3 permissions").waitFor();
  await good(page, "record-roles", ["light"]);
  await row.getByRole("button", { name: "Delete night-shift" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "detached" });
});

test("the audit log is looked through by action, by who, and by day", async () => {
  await page.goto("/panel/audit");
  await page.getByLabel("Action").fill("role.created");
  await page.getByText("No entry is like this.").or(rows().first()).first().waitFor();
  await expect.poll(() => rows().count()).toBe(1);
  await page.getByRole("combobox", { name: "Who" }).click();
  await page.getByRole("option", { name: "API keys" }).click();
  await page.getByText("Nothing fits").waitFor();
  await page.getByRole("combobox", { name: "Who" }).click();
  await page.getByRole("option", { name: "People" }).click();
  await expect.poll(() => rows().count()).toBe(1);
  await good(page, "record-audit");
  await page.getByLabel("Until this day").fill("2026-01-01");
  await page.getByText("Nothing fits").waitFor();
  await page.getByLabel("Until this day").fill("");
  await expect.poll(() => rows().count()).toBe(1);
});

async function exported(format: string): Promise<string> {
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByRole("menuitem", { name: format }).click();
  return readFileSync(await (await coming).path(), "utf8");
}

test("what is listed is exported, nothing of others is, and the export is on the record (P1)", async () => {
  const lines = (await exported("JSON lines")).trim().split("\n").map((line) => JSON.parse(line));
  expect(lines.map(({ action }) => action)).toEqual(["role.created"]);
  await page.getByLabel("Action").fill("");
  await page.getByText("role.deleted").waitFor();
  const sheet = await exported("CSV");
  expect(sheet).toContain("role.deleted");
  const { items } = await post("/audit?action=audit.exported", null, acme, "live", "GET");
  expect(items).toHaveLength(2);
  expect(complaints).toEqual([]);
});
