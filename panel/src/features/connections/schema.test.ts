import { expect, test } from "vitest";
import { altered, changesOf, defaults, filled, flattened, isSecret, written } from "./schema";

test("a field that may be null is shown as what it is otherwise", () => {
  const field = flattened({ title: "Password", anyOf: [{ type: "string", format: "password", writeOnly: true }, { type: "null" }] });
  expect(field).toMatchObject({ title: "Password", type: "string" });
  expect(isSecret(field)).toBe(true);
});

test("defaults begin the form, null ones leave it empty", () => {
  expect(defaults({ properties: { port: { default: 587 }, name: { default: null }, host: {} } })).toEqual({ port: 587 });
});

test("what is empty is not sent, and zero and false are not empty", () => {
  expect(filled({ a: "", b: null, c: 0, d: false, e: "x" })).toEqual({ c: 0, d: false, e: "x" });
});

test("a secret that still reads as it was shown is not sent, and an emptied one is taken away", () => {
  expect(altered({ password: "••••1234", user: "shop", token: null }, { password: "••••1234", user: "", token: "new" })).toEqual({ user: null, token: "new" });
});

test("fields that are for reading are not asked for", () => {
  const schema = { properties: { vapidPublic: { type: "string", readOnly: true }, privateKey: { type: "string", writeOnly: true } } };
  expect(written(schema).map(([name]) => name)).toEqual(["privateKey"]);
});

test("of a connection only what was changed is sent, whatever became of it meanwhile", () => {
  const shown = { name: "Mail", isDefault: true, useAsFallback: false, settings: { host: "mx", port: 25 }, credentials: { password: "••••1234" } };
  expect(changesOf(shown, { ...shown })).toEqual({});
  expect(changesOf(shown, { ...shown, name: "Post", isDefault: false })).toEqual({ name: "Post", isDefault: false });
  expect(changesOf(shown, { ...shown, settings: { host: "mx", port: 587 }, credentials: { password: "new" } })).toEqual({ settings: { host: "mx", port: 587 }, credentials: { password: "new" } });
});
