import type { ReactNode } from "react";
import { t } from "@/lib/t";
import { IconCheck } from "./icons";

/** `now` is the next one to do, `open` one that may be done at any time, `later` one whose turn has not come. */
export type Standing = "done" | "now" | "open" | "later";

/** Steps that lead somewhere, one after the other. Each knows from the server whether it is done. */
export function Guide({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ol className="guide" aria-label={label}>
      {children}
    </ol>
  );
}

interface StepProps {
  title: string;
  standing: Standing;
  children?: ReactNode;
}

/** One step; what it holds is shown once its turn has come. */
export function Step({ title, standing, children }: StepProps) {
  return (
    <li data-standing={standing} aria-current={standing === "now" ? "step" : undefined}>
      <span className="guide-mark">{standing === "done" && <IconCheck size={16} stroke={2.4} aria-hidden />}</span>
      <h2>
        {title}
        {standing === "done" && <span className="visually-hidden">{t(", done")}</span>}
      </h2>
      {standing !== "later" && <div className="guide-body">{children}</div>}
    </li>
  );
}

/** That the page looks by itself, and for what. */
export function Awaiting({ children }: { children: ReactNode }) {
  return (
    <p className="awaiting" role="status">
      {children}
    </p>
  );
}
