import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

interface Walk {
  /** What somebody with a mouse could use and Tab does not reach. */
  missed: string[];
  /** What has the focus and does not show it. */
  unseen: string[];
  /** What is reached later than what stands after it. */
  disordered: string[];
  /** What looks as if it could be clicked, and is nothing that a keyboard could use. */
  mouseOnly: string[];
  reached: number;
}

/** From the top of a page that was just loaded, Tab goes through all of it that can be used, in order and visibly. */
export async function walkable(page: Page): Promise<number> {
  return through(page, "body");
}

/** The same for what stands between the bars of a frame that was walked before: the first Tab and Enter skip them. */
export async function walkableBeyondTheFrame(page: Page): Promise<number> {
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.className"), page.url()).toBe("skip");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.evaluate("document.activeElement.id"), { message: page.url() }).toBe("main");
  return through(page, "main");
}

async function through(page: Page, within: "body" | "main"): Promise<number> {
  const count = (await page.evaluate(`(${PREPARE})("${within}")`)) as number;
  for (let presses = 0; presses < count + 40; presses += STEP) {
    for (let n = 0; n < STEP; n++) await page.keyboard.press("Tab");
    if (await page.evaluate("walk.missed().length === 0")) break;
  }
  const { reached, ...wrong } = (await page.evaluate("walk.said()")) as Walk;
  expect(wrong, page.url()).toEqual({ missed: [], unseen: [], disordered: [], mouseOnly: [] });
  return reached;
}

const STEP = 8;

/** Presses Tab until something has the focus. */
export async function tabTo(page: Page, what: Locator, key = "Tab"): Promise<void> {
  for (let presses = 0; presses < 150; presses++) {
    if (await what.evaluateAll((all) => all.some((one) => one === document.activeElement)).catch(() => false)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${key} does not lead to ${what}`);
}

/** Opens by Enter, keeps the focus inside, closes by Escape, and gives the focus back. */
export async function opensAndCloses(page: Page, opener: Locator, inside: Locator): Promise<void> {
  await opener.focus();
  await page.keyboard.press("Enter");
  await inside.waitFor();
  await expect.poll(() => inside.evaluate((dialog) => dialog.contains(document.activeElement)), { message: `focus in what ${opener} opens` }).toBe(true);
  for (let presses = 0; presses < 25; presses++) await page.keyboard.press("Tab");
  expect(await inside.evaluate((dialog) => dialog.contains(document.activeElement)), `focus stays in what ${opener} opens`).toBe(true);
  // A list that opened at its field is closed first.
  if (await page.locator("[role=listbox]").filter({ visible: true }).count()) await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await inside.waitFor({ state: "hidden" });
  await expect.poll(() => opener.evaluate((one) => one === document.activeElement), { message: `focus comes back to ${opener}` }).toBe(true);
}

/**
 * Runs in the page. Of radio buttons one of each group is reached, the others by arrows; a list that opens, the cross
 * on a chosen value and the arrows of a number are parts of their field, whose keys do the same; and a step that
 * is still to come is no button yet.
 */
const PREPARE = `((within) => {
  const USABLE = "a[href], button, input, select, textarea, summary, [contenteditable=true], [tabindex], [role=button], [role=link], [role=checkbox], [role=radio], [role=switch], [role=tab], [role=menuitem], [role=slider]";
  const PARTS = ".mantine-Pill-remove, .mantine-InputPlaceholder-placeholder, .mantine-NumberInput-control, [data-combobox-option], .mantine-CloseButton-root[tabindex='-1'], .mantine-Input-section button[tabindex='-1'], .mantine-Stepper-step[tabindex='-1']";
  document.head.append(Object.assign(document.createElement("style"), { textContent: "*, *::before, *::after { transition: none !important; }" }));
  const has = (one) => one && one.getClientRects().length > 0 && one.getBoundingClientRect().width > 0 && one.getBoundingClientRect().height > 0;
  const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && (has(one) || (/checkbox|radio/.test(one.type) && (has(one.labels?.[0]) || has(one.parentElement))));
  const usable = (one) => shown(one) && !one.matches(":disabled, [aria-disabled=true], [data-disabled]") && !one.closest("[inert], [aria-hidden=true]") && one.type !== "hidden";
  const first = (one) => one.type !== "radio" || !one.name || one === (document.querySelector('input[type=radio][name="' + CSS.escape(one.name) + '"]:checked') ?? document.querySelector('input[type=radio][name="' + CSS.escape(one.name) + '"]'));
  const roving = (one) => one.tabIndex < 0 && one.closest("[role=tablist], [role=radiogroup], [role=menu], [role=listbox]");
  const own = (one) => one.tabIndex >= 0 || !one.hasAttribute("tabindex") || /^(A|BUTTON|INPUT|SELECT|TEXTAREA)$/.test(one.tagName);
  const all = [...document.querySelectorAll(within + ' :is(' + USABLE + ')')].filter((one) => usable(one) && first(one) && !roving(one) && !one.matches(PARTS) && own(one));
  const name = (one) => (one.outerHTML.replace(one.innerHTML, "") + " " + (one.getAttribute("aria-label") ?? one.textContent ?? "").trim()).slice(0, 260);
  const LOOK = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderColor", "backgroundColor", "textDecorationLine", "opacity", "top"];
  const around = (one) => [one, one.parentElement, one.parentElement?.parentElement, one.previousElementSibling, one.nextElementSibling].filter(Boolean);
  const look = (one) => around(one).flatMap((each) => [null, "::before", "::after"].map((part) => { const style = getComputedStyle(each, part); return LOOK.map((key) => (key.startsWith("outline") && style.outlineStyle === "none" ? "" : style[key])).join(); })).join("|");
  if (within === 'body') document.activeElement?.blur?.();
  const rest = new Map(all.map((one) => [one, look(one)]));
  const order = [], unseen = new Set();
  addEventListener("focusin", ({ target }) => {
    if (!rest.has(target) || order.includes(target)) return;
    order.push(target);
    if (look(target) === rest.get(target)) unseen.add(target);
  });
  const inside = USABLE + ", label, tr[data-linked], [role=option], .mantine-Input-wrapper, .cm-editor";
  const clickable = [...document.querySelectorAll("main *")].filter((one) => shown(one) && getComputedStyle(one).cursor === "pointer" && !one.closest(inside) && getComputedStyle(one.parentElement).cursor !== "pointer");
  const missed = () => all.filter((one) => one.isConnected && usable(one) && !order.includes(one));
  const late = () => order.filter((one, at) => at > 0 && !(order[at - 1].compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING));
  // Where the walk began, it comes around once.
  window.walk = { missed, said: () => ({ missed: missed().map(name), unseen: [...unseen].map(name), disordered: late().slice(1).map(name), mouseOnly: clickable.map(name), reached: order.length }) };
  return all.length;
})`;
