const DRAWN = { fill: "none", stroke: "currentColor", strokeWidth: 1.8, strokeLinecap: "round", strokeLinejoin: "round" } as const;

function drawn(...paths: string[]) {
  return (
    <svg viewBox="0 0 24 24" width="1.25em" height="1.25em" aria-hidden="true" focusable="false" {...DRAWN}>
      {paths.map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}

export const bell = drawn("M6 17V11a6 6 0 0 1 12 0v6l1.5 2h-15z", "M10 21.5a2.2 2.2 0 0 0 4 0");
export const soundOn = drawn("M4 9.5v5h3.5L12 19V5L7.5 9.5z", "M15.5 9a4 4 0 0 1 0 6", "M18 6.5a7.6 7.6 0 0 1 0 11");
export const soundOff = drawn("M4 9.5v5h3.5L12 19V5L7.5 9.5z", "M16 9.5l5 5", "M21 9.5l-5 5");
export const sliders = drawn("M4 7h9", "M17 7h3", "M15 5v4", "M4 17h3", "M11 17h9", "M9 15v4");
export const readAll = drawn("M2.5 12.5l4.5 4.5L15.5 8", "M12 16.5l.8.7L21.5 8");
export const back = drawn("M19 12H5", "M11 6l-6 6 6 6");
