import type { ReactNode } from "react";

/** Numbers that matter, each with its name and a few words on it. */
export function Figures({ figures }: { figures: [name: string, number: ReactNode, note: ReactNode][] }) {
  return (
    <div className="figures">
      {figures.map(([name, number, note]) => (
        <div key={name} className="figure">
          <div className="figure-name">{name}</div>
          <div className="figure-number">{typeof number === "number" ? number.toLocaleString() : number}</div>
          <div className="figure-note">{note}</div>
        </div>
      ))}
    </div>
  );
}
