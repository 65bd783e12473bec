import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, launch, post, project, shot, signIn, URL_, visit, type Project } from "./visit";

let browser: Browser;
let acme: Project;
let page: Page;
let complaints: string[];
let grace: { id: string };
let low: string;
const call = (path: string, body: unknown, method = "POST") => post(path, body, acme, "live", method);

beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Power");
  await call("/roles", { name: "on-call" });
  await call("/roles", { name: "team-lead" });
  grace = await call("/users", { email: `grace@${acme.slug}.example.com`, name: "Grace Hopper", externalUserId: "emp-7", roles: ["on-call"] });
  await call("/users", { email: `lin@${acme.slug}.example.com`, name: "Lin Clark", roles: ["team-lead"] });
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme);
});
afterAll(() => browser?.close());

const rule = (name: string) => call(`/rules?search=${encodeURIComponent(name)}`, null, "GET").then(({ items }) => items[0]);
const fold = (name: string) => page.getByRole("button", { name, exact: true });
const toggle = async (name: string) => {
  await page.getByRole("switch", { name }).focus();
  await page.keyboard.press("Space");
};
const pick = async (field: string, option: string | RegExp, within = page.locator("main")) => {
  await within.getByRole("combobox", { name: field, exact: true }).click();
  await page.getByRole("option", { name: option }).first().click();
  await page.keyboard.press("Escape");
};

test("all of a rule is said in the form, and kept as it was said (P1, R1 to R4)", async () => {
  await page.goto("/panel/rules/new?type=server.down");
  await page.getByLabel("Name").fill("Server down");
  await page.getByText("Told once; nobody has to acknowledge.").waitFor();
  await shot(page, "rules-new");
  await pick("Roles", "on-call");
  await page.getByRole("combobox", { name: "People", exact: true }).fill("Grace");
  await page.getByRole("option", { name: /Grace Hopper/ }).click();
  await page.keyboard.press("Escape");
  await toggle("Whom the event is about");
  await page.getByRole("combobox", { name: "Destinations" }).fill("war-room");
  await page.keyboard.press("Enter");
  await pick("Channels", "push");
  await pick("Channels", "sms");
  await toggle("One channel after the other");
  await page.getByRole("button", { name: "sms earlier" }).click();
  await page.getByText("Critical", { exact: true }).click();
  await pick("Sound", "siren");
  const heard = page.waitForResponse((answer) => answer.url().includes("/sound-files/"));
  await page.getByRole("button", { name: "Play siren" }).click();
  expect((await heard).ok()).toBe(true);
  await page.getByRole("combobox", { name: "Topic" }).fill("outages");
  await page.keyboard.press("Escape");
  await fold("Insist").click();
  await toggle("Somebody has to acknowledge");
  await toggle("Repeat until somebody does");
  await page.getByRole("textbox", { name: "Every", exact: true }).fill("2");
  await page.getByRole("button", { name: "Step", exact: true }).click();
  await pick("Roles", "team-lead", page.locator(".steps li").first());
  await page.getByLabel("Go through them so many times").fill("2");
  await fold("Hours and limits").click();
  await toggle("Only at certain hours");
  await page.locator("label").filter({ hasText: /^Mon$/ }).click();
  await toggle("Only so many for each person");
  await page.getByRole("textbox", { name: "Title", exact: true }).fill("{{ payload.host }} is down");
  await fold("Link and languages").click();
  await page.getByLabel("Leads to").fill("https://status.example.com/{{ payload.host }}");
  await page.getByLabel("On the button").fill("Status");
  await page.getByRole("combobox", { name: "Language" }).fill("de");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Language", exact: true }).click();
  await page.getByRole("group", { name: "German" }).getByLabel("Title").fill("{{ payload.host }} ist ausgefallen");
  await accessible(page);
  await shot(page, "rules-whole");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Server down" }).waitFor();
  expect(await rule("Server down")).toMatchObject({
    eventTypes: ["server.down"],
    targetRoles: expect.arrayContaining(["on-call", "owner"]),
    targetUsers: [grace.id],
    targetPayloadUser: true,
    targetDestinations: ["war-room"],
    channels: ["realtime", "sms", "push"],
    channelOrder: { afterSeconds: 120 },
    priority: "critical",
    sound: "siren",
    topic: "outages",
    requireAck: true,
    repeat: { everySeconds: 120, maxTimes: 3 },
    escalation: [{ afterSeconds: 600, roles: ["team-lead"], users: [] }],
    escalationLoops: 2,
    activeTimes: { from: "08:00", to: "18:00", days: ["mon"], outside: "skip" },
    throttle: { max: 3, perSeconds: 3600 },
    action: { url: "https://status.example.com/{{ payload.host }}", label: "Status" },
    translations: { de: { title: "{{ payload.host }} ist ausgefallen" } },
  });
});

test("a rule by the time of day gets its clock in the form, and gathers in words of its own (R4, R6)", async () => {
  await page.goto("/panel/rules/new");
  await page.getByLabel("Name").fill("Unanswered alerts");
  await page.getByText("At a time of day").click();
  await page.getByLabel("At", { exact: true }).fill("07:30");
  for (const day of ["Mon", "Fri"]) await page.locator("label").filter({ hasText: new RegExp(`^${day}$`) }).click();
  await pick("Time zone", "Each person's own");
  await pick("Channels", "email");
  await fold("Hours and limits").click();
  await toggle("Gather what comes within a while");
  await page.getByLabel("Title of all together").fill("{{ count }} together");
  await page.getByRole("textbox", { name: "Title", exact: true }).fill("{{ payload.counts.deliveries.failed }} did not arrive");
  await page.getByRole("button", { name: "Try", exact: true }).click();
  await page.getByText("2 did not arrive").waitFor();
  await accessible(page);
  await shot(page, "rules-clock");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Unanswered alerts" }).waitFor();
  expect(await rule("Unanswered alerts")).toMatchObject({
    eventTypes: [],
    clock: { time: "07:30", days: ["mon", "fri"], cron: null, timezone: "recipient" },
    digest: { windowSeconds: 3600, title: "{{ count }} together", leading: false },
  });
});

test("only what somebody changed is saved, and what others changed meanwhile is said and kept", async () => {
  const made = await call("/rules", { name: "Shared", eventTypes: ["a.b"], targetRoles: ["owner"], title: "x", topic: "first", active: false });
  await page.goto(`/panel/rules/${made.id}`);
  await page.getByLabel("Message").fill("mine");
  await page.getByText("Not saved yet").waitFor();
  await call(`/rules/${made.id}`, { topic: "theirs" }, "PUT");
  await call("/rules", { name: "Pings", eventTypes: ["ping.sent"], targetRoles: ["owner"], title: "Ping" });
  await call("/events", { type: "ping.sent", payload: {} }); // whose notification makes the open page read anew
  await page.getByText("Somebody else has changed this rule").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Version 3").waitFor();
  const kept = await rule("Shared");
  expect([kept.topic, kept.message]).toEqual(["theirs", "mine"]);
  await page.getByRole("combobox", { name: "Topic" }).and(page.locator("[value=theirs]")).waitFor();
});

test("what the server refuses stands at its field, and a folded part opens for it", async () => {
  const made = await call("/rules", { name: "Too loud", eventTypes: ["a.c"], targetRoles: ["owner"], channels: ["realtime", "email"], title: "x", digest: { windowSeconds: 60 }, active: false });
  await page.goto(`/panel/rules/${made.id}`);
  await fold("Hours and limits").click();
  await page.getByText("gathered for 1 minute").waitFor();
  await page.getByText("Critical", { exact: true }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("What is critical is told at once and never gathered.").first().waitFor();
  expect(await fold("Hours and limits").getAttribute("aria-expanded")).toBe("true");
  await accessible(page);
  await shot(page, "rules-refused");
});

test("an edited rule is replayed over the past, and says what would be different (D6)", async () => {
  const made = await call("/rules", { name: "Orders", eventTypes: ["order.created"], condition: "payload.amount > 1000", targetRoles: ["on-call"], title: "Order {{ payload.id }}" });
  for (const amount of [10, 700, 800, 2000, 3000]) await call("/events", { type: "order.created", payload: { id: `A-${amount}`, amount } });
  await processed("order.created", 5);
  await page.goto(`/panel/rules/${made.id}`);
  await page.getByLabel("Value", { exact: true }).fill("500");
  await page.getByRole("button", { name: "Replay over the past" }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByRole("button", { name: "Start" }).click();
  await drawer.getByText("Done: 5 events").waitFor();
  await drawer.getByRole("button", { name: "Newly told · 2" }).click();
  await drawer.getByText("Order A-700").waitFor();
  expect(await drawer.getByRole("article").count()).toBe(2);
  await accessible(page);
  await shot(page, "rules-replay");
  expect(await drawer.getByRole("link", { name: "order.created" }).first().getAttribute("href")).toMatch(/\/panel\/events\/[0-9a-f-]{36}$/);
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
  expect((await rule("Orders")).condition).toBe("payload.amount > 1000");
});

test("a replay says which ways, sound and priority would be others, then beside now (D6)", async () => {
  const made = await call("/rules", { name: "Alarms", eventTypes: ["alarm.raised"], targetRoles: ["on-call"], channels: ["realtime"], sound: "chime", title: "Alarm in {{ payload.hall }}", message: "Somebody should look." });
  for (const hall of ["A", "B"]) await call("/events", { type: "alarm.raised", payload: { hall } });
  await processed("alarm.raised", 2);
  await page.goto(`/panel/rules/${made.id}`);
  await pick("Channels", "email");
  await page.getByText("Critical", { exact: true }).click();
  await pick("Sound", "siren");
  await page.getByRole("button", { name: "Replay over the past" }).click();
  const drawer = page.getByRole("dialog");
  await drawer.getByRole("button", { name: "Start" }).click();
  await drawer.getByText("Done: 2 events").waitFor();
  for (const name of ["Other channels · 2", "Another priority · 2", "Another sound · 2"]) await drawer.getByRole("button", { name }).waitFor();
  const sides = drawer.getByRole("article").first().locator(".ways");
  expect(await sides.evaluateAll((all) => all.map((side) => [...side.querySelectorAll("dd")].map((each) => each.textContent)))).toEqual([
    ["realtime", "normal", "chime"],
    ["realtime, email", "critical", "siren"],
  ]);
  await accessible(page);
  await shot(page, "rules-replay-ways");
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, "rules-replay-ways-phone");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
});

test("an event says why a person got it or not, and leads to the reason (D6)", async () => {
  await call(`/users/${grace.id}/preferences`, { topics: { stock: { muted: true } } }, "PUT");
  await call("/rules", { name: "Low stock", eventTypes: ["stock.low"], targetRoles: ["on-call"], channels: ["email"], title: "{{ payload.item }} runs out", topic: "stock" });
  const event = await call("/events", { type: "stock.low", payload: { item: "Paper" } });
  await processed("stock.low", 1);
  low = event.id;
  await page.goto(`/panel/events/${low}`);
  await page.getByRole("combobox", { name: "Person" }).fill("Grace");
  await page.getByRole("option", { name: /Grace Hopper/ }).click();
  await page.getByText("Did not get it").waitFor();
  await page.getByText(/because the rule tells the role on-call/).waitFor();
  await page.getByRole("link", { name: "Low stock" }).last().waitFor();
  await accessible(page);
  await shot(page, "rules-explain");
  expect(page.url()).toContain(`person=${grace.id}`);
  await page.getByRole("link", { name: "Their preferences" }).click();
  await page.getByRole("heading", { name: "Preferences" }).waitFor();
  await page.getByText("stock", { exact: true }).waitFor();
});

test("on a phone and in the dark all of it can be read", async () => {
  const server = await rule("Server down");
  const { page: dark, complaints: said } = await visit(browser, { width: 390, dark: true });
  await signIn(dark, acme);
  await dark.goto(`/panel/rules/${server.id}`);
  await dark.getByRole("group", { name: "German" }).waitFor();
  await dark.locator("main").getByText("Grace Hopper").waitFor();
  await accessible(dark);
  await fits(dark);
  await shot(dark, "rules-phone-dark");
  await dark.getByRole("button", { name: "Replay over the past" }).click();
  await dark.getByRole("dialog").getByRole("button", { name: "Start" }).click();
  await dark.getByText("No event of these types came in that time.").waitFor();
  await accessible(dark);
  await shot(dark, "rules-phone-replay");
  await dark.goto(`/panel/events/${low}?person=${grace.id}`);
  await dark.getByText("Did not get it").waitFor();
  await fits(dark);
  await shot(dark, "rules-phone-explain");
  expect(said).toEqual([]);
});

test("who may only read sees all of a rule, and nothing to change it by (A6)", async () => {
  const server = await rule("Server down");
  await asOwner(`/users/${grace.id}`, { roles: ["owner"] });
  await asOwner(`/users/${acme.userId}`, { roles: ["viewer"] });
  await page.goto(`/panel/rules/${server.id}`);
  await fold("Insist").click();
  await page.getByText(/every 2 minutes, 3 times at most/).waitFor();
  await fold("Insist").click();
  expect(await page.getByRole("switch", { name: "Repeat until somebody does" }).isDisabled()).toBe(true);
  for (const name of ["Save", "Try", "Replay over the past", "Delete"]) expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
});

test("nothing of all that made the console complain", () => {
  expect(complaints.filter((each) => !/status of 422/.test(each))).toEqual([]);
});

/** A change that no key may make: giving and taking the owner's own role. */
async function asOwner(path: string, body: unknown): Promise<void> {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${acme.token}` };
  const answer = await fetch(`${URL_}/api/v1${path}`, { method: "PUT", headers, body: JSON.stringify(body) });
  expect(answer.status, await answer.text()).toBe(200);
}

async function processed(type: string, count: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const { items } = await call(`/events?type=${type}`, null, "GET");
    if (items.filter((each: { status: string }) => each.status === "processed").length === count) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(`${type} was not processed within 20 seconds`);
}
