import { contrast } from "@/lib/colour";
import { useBrand, useColour } from "./brand";

/** A project's logo, or its first letter on its colour. */
export function BrandMark() {
  const { name, branding } = useBrand();
  const colour = useColour();
  const ink = contrast(colour, "#ffffff") >= 4.5 ? "#ffffff" : "#000000";
  return (
    <span className="brand">
      {branding.logoUrl ? (
        <img src={branding.logoUrl} alt="" className="brand-mark" referrerPolicy="no-referrer" />
      ) : (
        <span className="brand-mark" style={{ background: colour, color: ink }} aria-hidden>
          {name.slice(0, 1).toUpperCase()}
        </span>
      )}
      <span className="brand-name">{name}</span>
    </span>
  );
}
