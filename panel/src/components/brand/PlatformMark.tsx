import { t } from "@/lib/t";
import { PLATFORM_COLOUR } from "./house";

export function PlatformMark() {
  return (
    <span className="brand">
      <span className="brand-mark" style={{ background: PLATFORM_COLOUR, color: "#ffffff" }} aria-hidden>
        T
      </span>
      <span className="brand-name">Tocsin</span>
      <span className="mark-chip">{t("Platform")}</span>
    </span>
  );
}
