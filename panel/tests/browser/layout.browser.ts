import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessible, fits, launch, post, project, shot, signIn, visit, type Project } from "./visit";

let browser: Browser;
let acme: Project;
let page: Page;
let complaints: string[];

const OWN = '<div style="border-top:4px solid {{ branding.brandColor }};padding:24px;font-family:Georgia,serif">{{ content }}<a href="{{ unsubscribeUrl }}">Leave</a></div>';
const EDIT = "/panel/templates/edit?kind=layout&name=mail&language=en";

beforeAll(async () => {
  browser = await launch();
  acme = await project("Acme Bakery");
  await post("/projects/me/branding", { brandColor: "#AA3300", emailFooter: "Acme Bakery\nBaker Street 1" }, acme, "live", "PUT");
  ({ page, complaints } = await visit(browser));
  await signIn(page, acme);
});
afterAll(() => browser?.close());

const mail = () => page.frameLocator('iframe[title="What is printed"]');

async function write(text: string): Promise<void> {
  await page.getByRole("textbox", { name: "HTML" }).fill(text);
}

test("the layout stands first among the mails, and looks like the project (P4)", async () => {
  await page.goto("/panel/templates?kind=system_mail");
  await page.getByRole("link", { name: "Layout of mails" }).waitFor();
  await shot(page, "layout-list");
  await page.getByRole("link", { name: "Layout of mails" }).click();
  await mail().getByRole("heading", { name: "[title]" }).waitFor();
  await mail().getByText("Baker Street 1").waitFor();
  await accessible(page);
  await shot(page, "layout-default");
});

test("a mistake is told at its line, and one's own is shown while it is typed and kept", async () => {
  await write("<div>\n<script>alert(1)</script>{{ content }}</div>");
  await page.getByText("Line 2: <script> is not taken").waitFor();
  await page.getByText("It cannot be printed as it is.").waitFor();
  await shot(page, "layout-refused");
  await write(OWN);
  await mail().getByText("Leave").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved. The next mail looks like this.").waitFor();
  const { items } = await post("/templates", null, acme, "live", "GET");
  expect(items.map((each: { kind: string; body: string }) => [each.kind, each.body])).toEqual([["layout", OWN]]);
});

for (const dark of [false, true])
  test(`it fits a phone and is legible ${dark ? "in the dark" : "by day"}`, async () => {
    const phone = await visit(browser, { width: 390, dark });
    await signIn(phone.page, acme);
    await phone.page.goto(EDIT);
    await phone.page.frameLocator("iframe.letter-mail").getByText("Leave").waitFor();
    await accessible(phone.page);
    await fits(phone.page);
    await shot(phone.page, dark ? "layout-phone-dark" : "layout-phone");
    expect(phone.complaints).toEqual([]);
    await phone.page.context().close();
  });

test("the default stands again", async () => {
  await page.getByRole("button", { name: "Reset to the default" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset to the default" }).click();
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  await page.goto(EDIT);
  await mail().getByText("Unsubscribe").waitFor();
  expect(complaints.filter((each) => !each.includes("422"))).toEqual([]);
});
