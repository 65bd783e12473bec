import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { claims } from "../src/session.js";

test("names beyond ASCII are read from a token", () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = `${part({ alg: "HS256" })}.${part({ sub: "ünï-✓", name: "Zoë??>" })}`;
  const token = `${head}.${createHmac("sha256", "secret").update(head).digest("base64url")}`;
  expect(claims(token)).toEqual({ sub: "ünï-✓", name: "Zoë??>" });
});

test("what is no token is a problem that names it", () => {
  expect(() => claims("")).toThrow("not a JWT");
});
