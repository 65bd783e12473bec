import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessible, fits, launch, PASSWORD, post, shot, signInByForm as signIn, URL_, visit, type Project } from "./visit";
import { tone } from "./wave";

let browser: Browser;
let acme: Project;
let identity: { project: string; secret: string };
let page: Page;
let complaints: string[];
const files = mkdtempSync(join(tmpdir(), "sounds-"));

beforeAll(async () => {
  browser = await launch();
  ({ acme, identity } = await signedUp("Acme Bakery"));
  await post("/events", { type: "oven.hot", payload: { oven: 3, celsius: 281.5, zones: [{ name: "back", lit: true }] } }, acme);
  await post("/events", { type: "oven.hot", payload: { oven: 4, celsius: 260, zones: [] } }, acme);
  await post("/events", { type: "loaf.baked", payload: { loaf: "rye", grams: 750 } }, acme);
  ({ page, complaints } = await visit(browser));
  await watched(page.context());
  await signIn(page, acme);
});
afterAll(async () => {
  rmSync(files, { recursive: true });
  await browser?.close();
});

describe("sounds", () => {
  test("what is built in is there, and is heard at a click (P1)", async () => {
    await page.goto("/panel/sounds");
    await page.getByRole("button", { name: "Play siren" }).first().click();
    await page.getByRole("button", { name: "Stop siren" }).first().waitFor();
    expect(await playing(page)).toHaveLength(1);
    await page.getByRole("button", { name: "Play bell" }).first().click();
    await page.getByRole("button", { name: "Play siren" }).first().waitFor();
    expect(await playing(page)).toHaveLength(1);
    await page.getByRole("button", { name: "Stop bell" }).first().click();
    await page.getByRole("button", { name: "Play bell" }).first().waitFor();
    expect(await playing(page)).toEqual([]);
    await page.locator(".wave rect").first().waitFor();
    await accessible(page);
    await shot(page, "sounds-list");
  });

  test("a file that is no sound, is too big, or has a name that is taken is refused where one looks", async () => {
    await choose("Not a sound.wav", Buffer.from("nothing to hear here, only words"));
    const dialog = page.getByRole("dialog");
    expect(await dialog.getByLabel("Name").inputValue()).toBe("not_a_sound");
    await dialog.getByRole("button", { name: "Upload" }).click();
    await dialog.getByText(/None of|no sound|format/i).first().waitFor();
    await accessible(page);
    await shot(page, "sounds-refused");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await choose("Huge.wav", tone(65));
    await dialog.getByRole("button", { name: "Upload" }).click();
    await dialog.getByText("at most; this file has").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });

  test("one of one's own is uploaded, heard, fetched as a WAV, and made the sound of what is critical", async () => {
    await choose("Oven alarm.wav", tone(20));
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Play Oven alarm.wav" }).click();
    await dialog.getByRole("button", { name: "Stop Oven alarm.wav" }).click();
    await shot(page, "sounds-upload");
    await dialog.getByRole("button", { name: "Upload", exact: true }).click();
    await dialog.waitFor({ state: "detached" });
    const row = page.getByRole("row", { name: /oven_alarm/ });
    await row.getByText("20.0 s").waitFor();
    await row.getByRole("button", { name: "What to do with oven_alarm" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: /WAV/ }).click()]);
    expect(download.suggestedFilename()).toBe("oven_alarm.wav");
    await select("Sound for Critical", "oven_alarm");
    await page.getByRole("button", { name: "Add a topic" }).click();
    await page.getByRole("textbox", { name: "Topic 1" }).fill("orders");
    await select("Sound for topic 1", "cash_register");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved. It counts").waitFor();
    expect(await post("/sounds/defaults", null, acme, "live", "GET")).toEqual({ priorities: { critical: "oven_alarm" }, topics: { orders: "cash_register" } });
    await accessible(page);
    await shot(page, "sounds-defaults");
  });

  test("a sound that is in use stays, and what names it is told", async () => {
    await remove("oven_alarm");
    await page.getByText("The defaults still name this sound").waitFor();
    await page.getByRole("alert").filter({ hasText: "The defaults" }).getByRole("button", { name: "Close" }).click();
  });
});

describe("what arrives", () => {
  let other: Page;

  beforeAll(async () => {
    await post("/rules", { name: "Ovens", eventTypes: ["oven.burns"], targetRoles: ["owner"], channels: ["realtime"], priority: "critical", requireAck: true, title: "Oven {{ payload.oven }} burns", message: "It has {{ payload.celsius }} °C." }, acme);
    other = await page.context().newPage();
    for (const [tab, path] of [[page, "/panel/rules"], [other, "/panel/events"]] as const) {
      await tab.goto(path);
      await tab.getByText("Connected", { exact: true }).waitFor();
    }
  });

  test("is shown in every tab, heard in one, and ends everywhere within a second of an acknowledgement elsewhere (W2)", async () => {
    await post("/events", { type: "oven.burns", payload: { oven: 1, celsius: 480 } }, acme);
    await Promise.all([page, other].map((tab) => tab.getByText("Oven 1 burns").waitFor()));
    await heard(page, other);
    await accessible(page);
    await shot(page, "sounds-toast");
    const [one] = (await post("/notifications?acknowledged=false&limit=1", null, acme, "live", "GET")).items;
    expect(one.title).toBe("Oven 1 burns");
    const before = Date.now();
    await post(`/notifications/${one.id}/acknowledge`, {}, acme, "live", "PUT");
    await silent(page, other);
    expect(Date.now() - before).toBeLessThan(1_000);
    await Promise.all([page, other].map((tab) => tab.getByText("Oven 1 burns").waitFor({ state: "detached" })));
  });

  test("is acknowledged on the toast, which silences the other tab too", async () => {
    await post("/events", { type: "oven.burns", payload: { oven: 2, celsius: 490 } }, acme);
    await Promise.all([page, other].map((tab) => tab.getByText("Oven 2 burns").waitFor()));
    await heard(page, other);
    await page.getByRole("button", { name: "Acknowledge Oven 2 burns" }).click();
    await silent(page, other);
    await Promise.all([page, other].map((tab) => tab.getByText("Oven 2 burns").waitFor({ state: "detached" })));
  });

  test("is silent once the switch is off, in all tabs and after a reload; and leads to the notification", async () => {
    await page.getByRole("button", { name: "Sound", pressed: true }).click();
    await other.getByRole("button", { name: "Sound", pressed: false }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Sound", pressed: false }).waitFor();
    await page.getByText("Connected", { exact: true }).waitFor();
    await post("/events", { type: "oven.burns", payload: { oven: 5, celsius: 500 } }, acme);
    await Promise.all([page, other].map((tab) => tab.getByText("Oven 5 burns").waitFor()));
    expect((await Promise.all([page, other].map(playing))).flat()).toEqual([]);
    await page.getByRole("alert").getByRole("link", { name: "Open" }).click();
    await page.getByRole("heading", { name: "Oven 5 burns" }).waitFor();
    await page.getByRole("button", { name: "Sound", pressed: false }).click();
    await other.close();
  });

  test("says that a browser plays nothing before the page was touched", async () => {
    const { page: shy } = await visit(browser);
    await signIn(shy, acme);
    await shy.context().addInitScript(`HTMLMediaElement.prototype.play = () => Promise.reject(new DOMException("no gesture yet", "NotAllowedError"));`);
    await shy.goto("/panel/");
    await shy.getByText("Connected", { exact: true }).waitFor();
    await post("/events", { type: "oven.burns", payload: { oven: 6, celsius: 500 } }, acme);
    await shy.locator(".sound-switch[data-waits]").waitFor();
    await shy.getByRole("button", { name: "Sound" }).hover();
    await shy.getByText("until you click somewhere").waitFor();
    await shy.getByRole("button", { name: "Sound" }).click();
    await shy.locator(".sound-switch[data-waits]").waitFor({ state: "detached" });
    await shy.getByRole("button", { name: "Sound", pressed: true }).waitFor();
    await shy.context().close();
  });
});

describe("event types", () => {
  test("what was seen is described from what was sent (E7)", async () => {
    await page.goto("/panel/event-types");
    await page.getByText("No type is described yet").waitFor();
    await shot(page, "types-none");
    await page.getByRole("link", { name: "Describe oven.hot" }).click();
    await page.getByRole("heading", { name: "Describe a type" }).waitFor();
    await page.locator(".cm-content").first().getByText("celsius").first().waitFor();
    await page.getByLabel("Description").fill("An oven is hotter than it should be.");
    await page.getByText("Reject", { exact: true }).click();
    await accessible(page);
    await shot(page, "types-new");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "oven.hot" }).waitFor();
    const [type] = (await post("/event-types?name=oven.hot", null, acme, "live", "GET")).items;
    expect([type.mode, type.schema.required, type.example]).toEqual(["reject", ["oven", "celsius", "zones"], { oven: 4, celsius: 260, zones: [] }]);
    const sent = () => post("/events", { type: "oven.hot", payload: { oven: "four" } }, acme).then(() => "taken", String);
    await expect.poll(sent, { timeout: 5_000 }).toContain("schema_mismatch");
  });

  test("a schema that is none is refused at its place", async () => {
    await page.locator(".cm-content").first().fill('{"type": "objekt"}');
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("/type: ", { exact: false }).first().waitFor();
    await accessible(page);
    await shot(page, "types-refused");
    await page.locator(".cm-content").first().fill('{"type": ');
    await page.getByText("This is no JSON object.").waitFor();
    expect(await page.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
  });

  test("the list says what became of it", async () => {
    await page.goto("/panel/event-types");
    const row = page.getByRole("row", { name: /oven\.hot/ });
    await row.getByText("Reject").waitFor();
    await page.getByRole("table", { name: "Types that were seen" }).getByText("oven.burns").waitFor();
    await accessible(page);
    await shot(page, "types-list");
  });
});

describe("templates", () => {
  test("words are printed with a real event while they are typed, and kept (R1)", async () => {
    await page.goto("/panel/templates");
    await page.getByText("No templates yet").waitFor();
    await page.getByRole("link", { name: "New template" }).first().click();
    await page.getByLabel("Name").fill("loaf-baked");
    await page.getByRole("combobox", { name: "Language" }).fill("de");
    await page.getByText("German", { exact: true }).waitFor();
    await write("Title", "Brot: {{ payload.loaf }}");
    await write("Message", "Es wiegt {{ payload.grams }} Gramm.\n{{ payload.nowhere }}");
    await pick("With the event", /loaf\.baked/);
    const printed = page.getByRole("status", { name: "What is printed" });
    await printed.getByText("Brot: rye", { exact: true }).waitFor();
    await printed.getByText("Es wiegt 750 Gramm.").waitFor();
    await page.getByText("nothing is printed for it: payload.nowhere").waitFor();
    await accessible(page);
    await shot(page, "templates-new");
    await write("Message", "{{ payload.grams");
    await page.getByText("is never closed").waitFor();
    await shot(page, "templates-refused");
    await write("Message", "Es wiegt {{ payload.grams }} Gramm.");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved. It counts for the next event.").waitFor();
    const { items } = await post("/templates", null, acme, "live", "GET");
    expect(items.map((each: { language: string; subject: string }) => [each.language, each.subject])).toEqual([["de", "Brot: {{ payload.loaf }}"]]);
  });

  test("the same in another language, and the list has both (R1)", async () => {
    await page.getByRole("link", { name: /another language/ }).click();
    await page.getByRole("combobox", { name: "Language" }).fill("it");
    await write("Title", "Pane: {{ payload.loaf }}");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: "Italian" }).waitFor();
    await page.goto("/panel/templates");
    await page.getByRole("row", { name: /Italian/ }).waitFor();
    await accessible(page);
    await shot(page, "templates-list");
    await page.getByRole("combobox", { name: "Language" }).click();
    await page.getByRole("option", { name: "German" }).click();
    await page.getByRole("row", { name: /Italian/ }).waitFor({ state: "detached" });
  });

  test("a mail gets words of one's own, and the default again", async () => {
    await page.goto("/panel/templates?kind=system_mail");
    await page.getByRole("link", { name: "Invitation" }).waitFor();
    await accessible(page);
    await shot(page, "templates-mails");
    await page.getByRole("link", { name: "Invitation" }).click();
    const printed = page.getByRole("status", { name: "What is printed" });
    await printed.getByText(/\[inviter\] invites you to Acme Bakery/).waitFor();
    await write("Subject", "Come to {{ project.name }}");
    await printed.getByText("Come to Acme Bakery").waitFor();
    await accessible(page);
    await shot(page, "templates-mail");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "Reset to the default" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Reset to the default" }).click();
    await page.getByRole("heading", { name: "Templates" }).waitFor();
    await page.getByRole("link", { name: "Invitation" }).click();
    await printed.getByText("You are invited to Acme Bakery").waitFor();
  });
});

test.each([
  ["phone", { width: 390, dark: false }, ["sounds", "types", "type", "templates", "template", "mail"]],
  ["dark", { width: 1280, dark: true }, ["sounds", "type", "template"]],
] as const)("%s: the pages are whole, accessible, and fit (P3)", async (look, options, names) => {
  const { page: small, complaints: said } = await visit(browser, options);
  await signIn(small, acme);
  const [type] = (await post("/event-types", null, acme, "live", "GET")).items;
  const pages = { sounds: "/sounds", types: "/event-types", type: `/event-types/${type.id}`, templates: "/templates", template: "/templates/edit?kind=notification&name=loaf-baked&language=de", mail: "/templates/edit?kind=system_mail&name=quota_warning&language=en" };
  for (const name of names) {
    await small.goto(`/panel${pages[name]}`, { waitUntil: "networkidle" });
    await small.getByRole("heading", { level: 1 }).waitFor();
    await small.locator("[aria-busy=true], [data-loading=true]").first().waitFor({ state: "detached" });
    await shot(small, `${look}-${name}`);
    await accessible(small);
    await fits(small);
  }
  expect(said).toEqual([]);
  await small.context().close();
});

test("who may not change anything is shown how things are, and no more", async () => {
  const { page: seeing } = await visit(browser);
  await seeing.goto("/panel/signin");
  await seeing.evaluate((token) => localStorage.setItem("tocsin.refresh", token), await vouched("Vera", ["viewer"]));
  await seeing.goto("/panel/sounds");
  await seeing.getByRole("button", { name: "Play oven_alarm" }).first().waitFor();
  expect(await seeing.getByRole("button", { name: /Upload|Save|Add a topic/ }).count()).toBe(0);
  await seeing.goto("/panel/templates");
  await seeing.getByRole("row", { name: /Italian/ }).getByRole("link").click();
  await seeing.getByRole("status", { name: "What is printed" }).getByText(/Pane/).waitFor();
  expect(await seeing.getByRole("button", { name: /Save|Delete/ }).count()).toBe(0);
  await shot(seeing, "templates-viewer");
  await seeing.context().close();
});

test("nothing of all that made the console complain", () => {
  // Refusals of forms are answers; the browser reports each as a failed load.
  expect(complaints.filter((each) => !/status of 4(22|15|09)/.test(each))).toEqual([]);
});

/** A project, and what its backend vouches for people with. */
async function signedUp(projectName: string): Promise<{ acme: Project; identity: typeof identity }> {
  const email = `baker+${Date.now()}@example.com`;
  const made = await post("/signup", { email, password: PASSWORD, projectName });
  const { project, tokens, user, apiKeys, identitySecrets } = made;
  return {
    acme: { email, slug: project.slug, token: tokens.accessToken, userId: user.id, testKey: apiKeys.test, liveKey: apiKeys.live },
    identity: { project: project.id, secret: identitySecrets.live },
  };
}

/** The token by which somebody goes on who came with an identity token (A5) and has these roles. */
async function vouched(name: string, roles: string[]): Promise<string> {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const said = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: name, name, aud: identity.project, exp: Math.floor(Date.now() / 1000) + 300, jti: `${Date.now()}` })}`;
  const identityToken = `${said}.${createHmac("sha256", identity.secret).update(said).digest("base64url")}`;
  const app = { "Content-Type": "application/json", "X-API-Key": acme.liveKey.key };
  const made = await (await fetch(`${URL_}/api/v1/users/register`, { method: "POST", headers: app, body: JSON.stringify({ identityToken }) })).json();
  await post(`/users/${made.user.id}`, { roles }, acme, "live", "PUT");
  return made.tokens.refreshToken;
}

/** Notes what every page of a context plays; the sound itself goes its way. */
function watched(context: BrowserContext): Promise<unknown> {
  return context.addInitScript(`
    window.sounds = [];
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () {
      if (!window.sounds.includes(this)) window.sounds.push(this);
      return play.call(this);
    };`);
}

function playing(tab: Page): Promise<string[]> {
  return tab.evaluate("window.sounds.filter((one) => !one.paused && one.error === null).map((one) => one.src)");
}

/** One of the tabs plays, and the other does not. */
async function heard(...tabs: Page[]): Promise<void> {
  const far = () => Promise.all(tabs.map((tab) => tab.evaluate("window.sounds.some((one) => one.currentTime > 0.3 && !one.paused)")));
  await expect.poll(far, { timeout: 10_000 }).toContain(true);
  expect((await Promise.all(tabs.map(playing))).flat()).toHaveLength(1);
}

/** The sound is longer than this takes, so it did not just come to its end. */
async function silent(...tabs: Page[]): Promise<void> {
  await expect.poll(async () => (await Promise.all(tabs.map(playing))).flat(), { timeout: 5_000 }).toEqual([]);
}

async function choose(name: string, content: Buffer): Promise<void> {
  const path = join(files, name);
  writeFileSync(path, content);
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: "Upload a sound" }).first().click()]);
  await chooser.setFiles(path);
  await page.getByRole("dialog").waitFor();
}

async function select(label: string, option: string): Promise<void> {
  await page.getByRole("combobox", { name: label }).click();
  await page.getByRole("option", { name: option, exact: true }).click();
}

async function pick(label: string, option: RegExp): Promise<void> {
  await page.getByRole("combobox", { name: label }).click();
  await page.getByRole("option", { name: option }).first().click();
}

async function write(label: string, text: string): Promise<void> {
  await page.getByRole("textbox", { name: label }).fill(text);
}

async function remove(name: string): Promise<void> {
  await page.getByRole("button", { name: `What to do with ${name}` }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
}
