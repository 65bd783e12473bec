import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, launch, post, project, type Project, shot, signIn, visit } from "./visit";

let browser: Browser;
let acme: Project;
let page: Page;
let complaints: string[];
let backend: Backend;
let id: string;
beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Replays");
  backend = await listening();
  ({ id } = await call("/webhook-endpoints", { url: backend.url, eventTypes: ["project.changed"], description: "Orders" }));
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme);
});
afterAll(async () => {
  await browser?.close();
  backend?.server.close();
});

const call = (path: string, body: unknown, method = "POST") => post(path, body, acme, "live", method);
const change = (description: string) => call("/projects/me", { description }, "PUT");
const endpoint = () => call(`/webhook-endpoints/${id}`, null, "GET");
const section = (name: string) => page.locator("section").filter({ has: page.getByRole("heading", { name, exact: true }) });

test("a test call shows the backend's own answer, and is signed (H2)", async () => {
  await page.goto(`/panel/webhooks/${id}`);
  await page.getByRole("button", { name: "Call it now" }).click();
  await section("Test").getByText('"heard": "webhook.test"').waitFor();
  expect(backend.calls.map(({ type }) => type)).toEqual(["webhook.test"]);
  expect(backend.calls[0]!.headers["webhook-signature"]).toMatch(/^v1,/);
  backend.answers = 503;
  await page.getByRole("button", { name: "Call it now" }).click();
  await section("Test").getByText("503").waitFor();
  await section("Test").getByText("Failed", { exact: true }).waitFor();
  await accessible(page);
  await shot(page, "replay-test-call");
});

test("what a backend missed while it was gone arrives once it is sent again (H2)", async () => {
  backend.answers = 410;
  await change("one");
  await expect.poll(async () => (await endpoint()).status).toBe("paused");
  for (const description of ["two", "three"]) await change(description);
  await expect.poll(async () => (await call("/webhook-logs?state=failed&limit=10", null, "GET")).items.filter(isChange).length).toBe(3);
  await page.reload();
  await page.getByText("What fails now is kept.").waitFor();
  expect(await section("Recover").getByRole("button", { name: "Send again" }).isDisabled()).toBe(true);
  await accessible(page);
  await shot(page, "replay-paused");

  backend.answers = 200;
  backend.calls = [];
  await page.getByRole("button", { name: "Switch on" }).click();
  await page.getByText("After an outage:").waitFor();
  await section("Recover").getByRole("combobox").click();
  await page.getByRole("option", { name: "the last hour" }).click();
  await section("Recover").getByRole("button", { name: "Send again" }).click();
  await page.getByText(/^4 calls that had failed since .+ are sent again\./).waitFor();
  // The test call that failed above is among them.
  await expect.poll(() => backend.calls.length, { timeout: 10_000 }).toBe(4);
  expect(new Set(backend.calls.map(({ headers }) => headers["webhook-id"])).size).toBe(4);
  const rows = page.getByRole("table", { name: "Calls" }).getByRole("row", { name: /project\.changed/ });
  await expect.poll(() => rows.filter({ hasText: "Delivered" }).count(), { timeout: 10_000 }).toBe(3);
  await accessible(page);
  await shot(page, "replay-recovered");
});

test("nothing that failed is no mistake, and it can be read on a phone in the dark", async () => {
  const { page: phone, complaints: said } = await visit(browser, { width: 390, dark: true });
  await signIn(phone, acme);
  await phone.goto(`/panel/webhooks/${id}`);
  await phone.locator("section").filter({ hasText: "After an outage" }).getByRole("button", { name: "Send again" }).click();
  await phone.getByText(/^Nothing had failed since/).waitFor();
  await accessible(phone);
  await fits(phone);
  await shot(phone, "replay-phone-dark");
  expect([...said, ...complaints]).toEqual([]);
});

const isChange = ({ eventType }: { eventType: string }): boolean => eventType === "project.changed";

interface Backend {
  server: Server;
  url: string;
  /** The status that it answers. */
  answers: number;
  calls: { type: string; headers: IncomingHttpHeaders }[];
}

/** Somebody's backend on loopback, which can be told to be gone. */
async function listening(): Promise<Backend> {
  const heard: Backend = { server: createServer(), url: "", answers: 200, calls: [] };
  heard.server.on("request", async (request, response) => {
    const said = JSON.parse(Buffer.concat(await request.toArray()).toString());
    heard.calls.push({ type: said.event, headers: request.headers });
    response.writeHead(heard.answers, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ heard: said.event }, null, 1));
  });
  await new Promise<void>((done) => heard.server.listen(0, "127.0.0.1", done));
  heard.url = `http://127.0.0.1:${(heard.server.address() as { port: number }).port}/orders`;
  return heard;
}
