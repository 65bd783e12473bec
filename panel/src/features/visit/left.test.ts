import { expect, test } from "vitest";
import { inside, useVisit, type Visit } from "@/lib/visit";
import { left } from "./left";

test("a clock that runs down", () => {
  expect([1_800, 65, 9, 0].map(left)).toEqual(["30:00", "1:05", "0:09", "0:00"]);
});

test("on a visit calls name the project, and those of the admin's own do not", () => {
  useVisit.setState({ visit: { project: { id: "p-1" } } as Visit });
  expect(["/api/v1/rules", "/api/v1/auth/sessions", "/api/v1/platform/visits/x", "/api/v1/auth/me"].map(inside)).toEqual(["p-1", "p-1", null, null]);
});
