import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { samples } from "./samples";

const CALL = { url: "http://127.0.0.1:8700", key: "pk_test_1", secret: "sk_test_2", type: "order.created", payload: { note: `it's "big" \\ \n` } };
const [curl, python, typescript] = samples(CALL);

test("the shell reads the body of the curl call as it was meant", () => {
  const echoed = execFileSync("sh", ["-c", curl!.text.replace(/^curl /, "printf '%s\\0' ")]).toString();
  const body = echoed.split("\0").find((word) => word.startsWith("{"));
  expect(JSON.parse(body!)).toEqual({ type: CALL.type, payload: CALL.payload });
});

test("the body of the Python call is the event", () => {
  const literal = /json\.loads\((".*")\)/.exec(python!.text)![1]!;
  expect(JSON.parse(JSON.parse(literal) as string)).toEqual({ type: CALL.type, payload: CALL.payload });
});

test("the body of the TypeScript call is the event", () => {
  const literal = /JSON\.stringify\(([\s\S]*)\),\n\}/.exec(typescript!.text)![1]!;
  expect(JSON.parse(literal)).toEqual({ type: CALL.type, payload: CALL.payload });
});
