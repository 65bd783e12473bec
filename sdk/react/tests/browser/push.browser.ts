import { createECDH, randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, bell, enter, happens, inbox, launch, opened, person, type Shop, shot } from "./shop";

const SWITCH = "In this browser, also when this page is closed";

/** In place of the browser's push service, which Chromium lacks here: it takes whatever is sent to a subscription. */
let service: Server;
let sent = 0;
let browser: Browser;
let acme: Shop;
let ann: Page;
beforeAll(async () => {
  service = createServer((request, response) => {
    sent++;
    request.resume().on("end", () => response.writeHead(201).end());
  });
  await new Promise<void>((done) => service.listen(0, "127.0.0.1", done));
  [browser, acme] = await Promise.all([launch(), opened("Acme Coffee")]);
  const context = await person(browser);
  await context.grantPermissions(["notifications"], { origin: acme.url });
  await context.addInitScript(subscribing(`http://127.0.0.1:${(service.address() as { port: number }).port}/ann`));
  ann = await enter(context, acme, "ann");
});
afterAll(async () => {
  service?.close();
  acme?.close();
  await browser?.close();
});

function subscribing(endpoint: string): string {
  const keys = { p256dh: createECDH("prime256v1").generateKeys("base64url"), auth: randomBytes(16).toString("base64url") };
  return `{
    let key = null;
    const mine = { endpoint: "${endpoint}", unsubscribe: async () => { key = null; return true; }, toJSON: () => (${JSON.stringify({ endpoint, keys })}),
      get options() { return { applicationServerKey: Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0)).buffer }; } };
    PushManager.prototype.subscribe = async ({ applicationServerKey }) => { key = applicationServerKey; return mine; };
    PushManager.prototype.getSubscription = async () => key && mine;
  }`;
}

async function choosing(): Promise<void> {
  await bell(ann).click();
  await inbox(ann).getByRole("button", { name: "Preferences" }).click();
}

test("switched on, this browser is sent what happens, until it is switched off", async () => {
  await choosing();
  await ann.getByText(SWITCH).click();
  await ann.getByRole("switch", { name: SWITCH, checked: true }).waitFor();
  await accessible(ann);
  await shot(ann, "push-on");
  await happens(ann, "A customer orders");
  await expect.poll(() => sent, { timeout: 10_000 }).toBe(1);
  await choosing(); // what is pressed on the page closes it
  const gone = ann.waitForResponse((answer) => answer.request().method() === "DELETE" && answer.url().includes("/addresses/"));
  await ann.getByText(SWITCH).click();
  expect((await gone).status()).toBe(204);
  await ann.getByRole("switch", { name: SWITCH, checked: false }).waitFor();
});

test("another Web Push of the page's worker is left alone, and there is no switch", async () => {
  await ann.reload();
  await ann.evaluate(`navigator.serviceWorker.ready.then((worker) => worker.pushManager.subscribe({ applicationServerKey: "UEFHRVM" }))`);
  const asked = ann.waitForResponse((answer) => answer.url().endsWith("/web-push"));
  await choosing();
  await (await asked).finished();
  await ann.getByRole("group", { name: "Quiet hours" }).waitFor();
  expect(await ann.getByText(SWITCH).count()).toBe(0);
  expect(await ann.evaluate("navigator.serviceWorker.ready.then((worker) => worker.pushManager.getSubscription()).then(Boolean)")).toBe(true);
});

test("the worker that comes with it shows what arrives", async () => {
  const debug = await ann.context().newCDPSession(ann);
  const found = new Promise<string>((done) => debug.on("ServiceWorker.workerRegistrationUpdated", ({ registrations: [one] }) => one && done(one.registrationId)));
  await debug.send("ServiceWorker.enable");
  const told = { title: "Order 9", message: "Two flat whites", notificationId: "n-9", requireAck: true, sound: "bell", url: null };
  await debug.send("ServiceWorker.deliverPushMessage", { origin: acme.url, registrationId: await found, data: JSON.stringify(told) });
  const shown = () => ann.evaluate("navigator.serviceWorker.ready.then((worker) => worker.getNotifications()).then((all) => all.map(({ title, body, tag, silent }) => ({ title, body, tag, silent })))");
  await expect.poll(shown, { timeout: 5_000 }).toEqual([{ title: "Order 9", body: "Two flat whites", tag: "tocsin:n-9", silent: true }]);
});
