import type { ReactNode } from "react";
import { PlatformMark } from "@/components/brand/PlatformMark";
import { Door } from "@/features/signin/Door";
import { t } from "@/lib/t";

export function PlatformDoor({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Door title={title} tab={`${title} · ${t("Platform")}`} mark={<PlatformMark />}>
      {children}
    </Door>
  );
}
