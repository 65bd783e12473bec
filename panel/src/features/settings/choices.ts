/** What the browser knows of the world, in the reader's language; what is set stays among it, known or not. */
interface Choice {
  value: string;
  label: string;
}

const SPOKEN = "ar bg bn cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nb nl pl pt pt-BR ro ru sk sl sr sv sw th tr uk ur vi zh zh-Hant".split(" ");

export function timezones(kept: string): string[] {
  return [...new Set([kept, "UTC", ...Intl.supportedValuesOf("timeZone")])];
}

export function languages(kept: string): Choice[] {
  return named("language", [...new Set([kept, ...SPOKEN])]);
}

export function currencies(kept: string): Choice[] {
  return named("currency", [...new Set([kept, ...Intl.supportedValuesOf("currency")])]);
}

function named(type: "language" | "currency", codes: string[]): Choice[] {
  const names = new Intl.DisplayNames(undefined, { type });
  return codes.map((value) => ({ value, label: `${names.of(value)} · ${value}` })).sort((one, other) => one.label.localeCompare(other.label));
}
