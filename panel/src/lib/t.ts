/**
 * Every text that a person reads goes through here. The English text is the key; a catalogue of another language
 * maps it to its own. Names in braces are filled in: t("Sent to {who}", { who: "Ada" }).
 */
type Values = Record<string, string | number>;

let catalogue: Record<string, string> = {};

export function speak(words: Record<string, string>): void {
  catalogue = words;
}

export function t(text: string, values?: Values): string {
  const said = catalogue[text] ?? text;
  return values ? said.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole)) : said;
}

/** The form of a text that fits a number; `{n}` is the number. */
export function tn(n: number, one: string, many: string, values?: Values): string {
  return t(n === 1 ? one : many, { n: n.toLocaleString(), ...values });
}
