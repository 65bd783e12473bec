import { t } from "@/lib/t";

/** A table as somebody has it: CSV with commas, semicolons or tabs, or JSON. */
export interface Sheet {
  columns: string[];
  rows: Row[];
}

export interface Row {
  /** Of the text, or of the array, from 1 on: what a person finds it by. */
  line: number;
  cells: Record<string, unknown>;
}

export class Unreadable extends Error {}

export function read(text: string): Sheet {
  const plain = text.replace(/^\ufeff/, "").trim();
  if (!plain) throw new Unreadable(t("There is nothing in it."));
  return /^[[{]/.test(plain) ? fromJson(plain) : fromCsv(plain);
}

/** An array of objects, `{"users": [...]}` as the API takes it, or an object on each line. */
function fromJson(text: string): Sheet {
  const found = parsed(text);
  const list = Array.isArray(found) ? found : isObject(found) && Array.isArray(found.users) ? found.users : [found];
  const rows = list.map((cells, place) => {
    if (!isObject(cells)) throw new Unreadable(t("Entry {n} is no object.", { n: place + 1 }));
    return { line: place + 1, cells };
  });
  return { columns: [...new Set(rows.flatMap(({ cells }) => Object.keys(cells)))], rows };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const lines = text.split(/\r?\n/).filter((line) => line.trim());
    try {
      return lines.map((line) => JSON.parse(line) as unknown);
    } catch {
      throw new Unreadable(t("This is not JSON: {why}", { why: (error as Error).message }));
    }
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** RFC 4180, with the separator that the first line has most of. The first line names the columns. */
function fromCsv(text: string): Sheet {
  const [head, ...lines] = fields(text, separator(text));
  const columns = head!.cells.map((name, place) => name.trim() || t("Column {n}", { n: place + 1 }));
  if (new Set(columns).size < columns.length) throw new Unreadable(t("Two columns have the same name."));
  const rows = lines
    .filter(({ cells }) => cells.some((cell) => cell.trim()))
    .map(({ line, cells }) => ({ line, cells: Object.fromEntries(columns.map((name, place) => [name, (cells[place] ?? "").trim()])) }));
  return { columns, rows };
}

function separator(text: string): string {
  const first = text.slice(0, text.search(/\r?\n|$/));
  const count = (sign: string) => first.split(sign).length;
  return [",", ";", "\t"].reduce((best, sign) => (count(sign) > count(best) ? sign : best));
}

function fields(text: string, sign: string): { line: number; cells: string[] }[] {
  const found: { line: number; cells: string[] }[] = [];
  let [line, begun, cell, quoted] = [1, 1, "", false];
  let cells: string[] = [];
  const endCell = () => {
    cells.push(cell);
    cell = "";
  };
  const endRow = () => {
    endCell();
    found.push({ line: begun, cells });
    cells = [];
    begun = line;
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (letter === "\n") line++;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') cell += text[at++];
      else quoted = false;
    } else if (letter === '"' && !cell.trim()) {
      cell = "";
      quoted = true;
    } else if (letter === sign) endCell();
    else if (letter === "\n") endRow();
    else if (letter !== "\r") cell += letter;
  }
  if (quoted) throw new Unreadable(t("A quotation that begins on line {line} does not end.", { line: begun }));
  endRow();
  return found;
}

/** A file as text: UTF-8, or what spreadsheets of old write. */
export async function textOf(file: Blob): Promise<string> {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
