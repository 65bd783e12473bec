import encodeQR from "qr";
import { useMemo } from "react";

const QUIET = 3;

/** A text for the camera of a phone: dark on white in either scheme, as readers want it. */
export function Qr({ value, label }: { value: string; label: string }) {
  const { path, size } = useMemo(() => drawn(value), [value]);
  return (
    <svg className="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

function drawn(value: string) {
  const rows = encodeQR(value, "raw", { ecc: "medium", border: QUIET });
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return { path, size: rows.length };
}
