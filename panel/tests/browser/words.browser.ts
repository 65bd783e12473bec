import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { as, person, type Person } from "./far";
import { until } from "./seed";
import { accessible, launch, post, project, type Project, shot, signIn, visit } from "./visit";

let browser: Browser;
let acme: Project;
let page: Page;
let complaints: string[];
beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Words");
  ({ page, complaints } = await visit(browser));
});
afterAll(() => browser?.close());

test("a digest has a template, and words in other languages", async () => {
  await post("/templates", { kind: "digest", name: "daily", language: "en", subject: "{{ count }} orders", body: "All of them." }, acme, "live", "PUT");
  const digest = { windowSeconds: 3600, title: "{{ count }} together" };
  const rule = await post("/rules", { name: "Orders", eventTypes: ["order.*"], targetRoles: ["owner"], channels: ["email"], title: "Order", digest }, acme);
  await signIn(page, acme);
  await page.goto(`/panel/rules/${rule.id}`);
  await page.getByRole("combobox", { name: "Words of a template" }).click();
  await page.getByRole("option", { name: "daily" }).click();
  await page.getByRole("combobox", { name: "Language" }).fill("de");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Language", exact: true }).click();
  await page.getByRole("group", { name: "German" }).getByLabel("Title").fill("{{ count }} zusammen");
  await accessible(page);
  await shot(page, "words-digest");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Not saved yet").waitFor({ state: "detached" });
  const saved = async () => (await post(`/rules/${rule.id}`, null, acme, "live", "GET")).digest;
  await expect.poll(saved, { timeout: 5_000 }).toMatchObject({ ...digest, template: "daily", translations: { de: { title: "{{ count }} zusammen" } } });
});

test("who acknowledged is named to those who were told, whatever else they may see", async () => {
  const [ann, ben] = [await person(acme, "Ann", ["user"]), await person(acme, "Ben", ["user"])];
  await post("/rules", { name: "Ovens", eventTypes: ["oven.hot"], targetUsers: [ann.id, ben.id], channels: ["realtime"], title: "Hot" }, acme);
  await post("/events", { type: "oven.hot", payload: {} }, acme);
  const id = await told(ann);
  expect((await as(ann.token, "PUT", `/notifications/${id}/acknowledge`, {})).status).toBe(200);
  const { page: bens, complaints: said } = await visit(browser);
  await signIn(bens, ben);
  await bens.goto(`/panel/notifications/${id}`);
  await bens.getByText(/^Ann · /).waitFor();
  expect(said).toEqual([]);
});

const told = ({ token }: Person) =>
  until(async () => {
    const [one] = (await as(token, "GET", "/notifications")).said.items as { id: string }[];
    return one?.id ?? null;
  });

test("nothing of it made the console complain", () => {
  expect(complaints).toEqual([]);
});
