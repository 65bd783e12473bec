import type { ReactNode } from "react";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { IconShield } from "./icons";
import { Empty } from "./States";

/** What is for those alone who may; the rest are told so, before they fill in a form that would be refused. */
export function Guarded({ by, children }: { by: string; children: ReactNode }) {
  if (useMay(by)) return children;
  return (
    <Empty icon={IconShield} title={t("This is not yours to do")}>
      {t("Your role lacks {permission}. Whoever manages roles can give it to you.", { permission: by })}
    </Empty>
  );
}
