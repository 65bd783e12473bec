import { Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { useMay } from "@/lib/session";

/** Fields of a rule: to be read by whoever may not change it. */
export function Fields({ children }: { children: ReactNode }) {
  const may = useMay("rules:manage");
  return (
    <fieldset disabled={!may} className="plain">
      <Stack>{children}</Stack>
    </fieldset>
  );
}

/** What a switch switched on. */
export function Inset({ children }: { children: ReactNode }) {
  return <div className="inset">{children}</div>;
}
