/** Ten shades of any colour, and shades of it that are readable, computed in OKLab so that steps look even. */
export type Shades = [string, string, string, string, string, string, string, string, string, string];
type Triple = [number, number, number];

const LIGHTNESS = [0.97, 0.93, 0.87, 0.79, 0.71, 0.63, 0.56, 0.49, 0.42, 0.35];
const CHROMA = [0.15, 0.3, 0.5, 0.75, 0.95, 1, 1, 0.95, 0.88, 0.8];
export const READABLE = 4.5;

export function shades(hex: string): Shades {
  const [, a, b] = oklab(rgb(hex));
  return LIGHTNESS.map((l, i) => hexOf([l, a * CHROMA[i]!, b * CHROMA[i]!])) as Shades;
}

/** The colour itself, or the nearest one of its hue that can be read on this ground. */
export function readable(hex: string, ground: string, least = READABLE): string {
  const [l, a, b] = oklab(rgb(hex));
  const towards = luminance(rgb(ground)) > 0.179 ? -0.01 : 0.01;
  let shade = hex;
  for (let step = 1; contrast(shade, ground) < least && step <= 100; step++) {
    const lightness = Math.min(1, Math.max(0, l + towards * step));
    const fade = lightness > 0.9 || lightness < 0.1 ? 0.3 : 1;
    shade = hexOf([lightness, a * fade, b * fade]);
  }
  return shade;
}

export function contrast(one: string, other: string): number {
  const [low, high] = [luminance(rgb(one)), luminance(rgb(other))].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function rgb(hex: string): Triple {
  return [1, 3, 5].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255)) as Triple;
}

const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const display = (c: number): number => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

function luminance([r, g, b]: Triple): number {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function oklab([r, g, b]: Triple): Triple {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function hexOf([lightness, a, b]: Triple): string {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channels: Triple = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return `#${channels.map((c) => byte(display(Math.min(1, Math.max(0, c))))).join("")}`;
}

function byte(value: number): string {
  return Math.round(value * 255)
    .toString(16)
    .padStart(2, "0");
}
