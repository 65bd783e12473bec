import { useState } from "react";
import { t } from "@/lib/t";

export interface Series {
  name: string;
  tone: "brand" | "ok" | "bad" | "quiet";
}

export interface Bar {
  /** A day, or whatever the bars stand for. */
  name: string;
  /** One for each series, stacked from below. */
  values: number[];
}

interface Props {
  label: string;
  series: Series[];
  bars: Bar[];
  format?: (value: number) => string;
  /** Where the numbers of all bars cannot be added up. */
  noTotal?: boolean;
}

const HEIGHT = 100;
const SLOT = 10;

/** Stacked bars. Pointing at one tells its numbers; the table behind tells all of them without eyes or mouse. */
export function Chart({ label, series, bars, format = (value) => value.toLocaleString(), noTotal }: Props) {
  const [at, setAt] = useState<number | null>(null);
  const most = Math.max(...bars.map(({ values }) => sum(values)), 0);
  // A week is not drawn as a wall.
  const width = Math.min(7, 2 + bars.length / 4);
  const pointed = at === null ? undefined : bars[at];
  const number = (place: number) => {
    if (pointed) return format(pointed.values[place] ?? 0);
    return noTotal ? null : format(sum(bars.map(({ values }) => values[place] ?? 0)));
  };
  return (
    <figure className="chart" aria-label={label}>
      <div className="chart-legend" aria-hidden>
        {series.map(({ name, tone }, place) => (
          <span key={name} data-tone={tone}>
            {name} <strong>{number(place)}</strong>
          </span>
        ))}
        <span className="chart-at">{pointed?.name}</span>
      </div>
      <div className="chart-plot">
        <span className="chart-most" aria-hidden>
          {most > 0 && format(most)}
        </span>
        {most === 0 && <span className="chart-none">{t("Nothing in this time")}</span>}
        <svg viewBox={`0 0 ${bars.length * SLOT} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden onPointerLeave={() => setAt(null)}>
          {bars.map((bar, place) => (
            <g key={bar.name} data-at={place === at || undefined} onPointerEnter={() => setAt(place)}>
              <rect className="chart-slot" x={place * SLOT} y={0} width={SLOT} height={HEIGHT} />
              {stacked(bar.values, most).map(({ y, height }, part) => (
                <rect key={series[part]!.name} data-tone={series[part]!.tone} x={place * SLOT + (SLOT - width) / 2} y={y} width={width} height={height} />
              ))}
            </g>
          ))}
        </svg>
      </div>
      <div className="chart-axis" aria-hidden>
        <span>{bars[0]?.name}</span>
        <span>{bars.at(-1)?.name}</span>
      </div>
      <Numbers label={label} series={series} bars={bars} format={format} />
    </figure>
  );
}

function Numbers({ label, series, bars, format }: Required<Omit<Props, "noTotal">>) {
  return (
    <details className="chart-numbers">
      <summary>{t("As a table")}</summary>
      <div className="chart-table" tabIndex={0} role="region" aria-label={t("{label}, as a table", { label })}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("When")}</th>
              {series.map(({ name }) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {bars.map(({ name, values }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {values.map((value, place) => (
                  <td key={series[place]!.name}>{format(value)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** Where each part stands on the one below it; what is there at all is seen, however small. */
function stacked(values: number[], most: number): { y: number; height: number }[] {
  let top = HEIGHT;
  return values.map((value) => {
    const height = value ? Math.max(1.5, (value / most) * HEIGHT) : 0;
    top -= height;
    return { y: Math.max(0, top), height };
  });
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
