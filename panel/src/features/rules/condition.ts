/**
 * Conditions as a tree that the form can show, and as CEL, which is what counts.
 *
 * Every tree can be written as CEL. Only some CEL can be shown as a tree: `read` answers null for the rest, and for
 * anything that it would not write again token for token. So the form never loses a part of a condition.
 */
export const OPERATORS = ["==", "!=", ">", ">=", "<", "<=", "contains", "startsWith", "endsWith", "in", "has", "!has"] as const;
export type Operator = (typeof OPERATORS)[number];
export type Value = string | number | boolean;

export interface Test {
  kind: "test";
  field: string;
  operator: Operator;
  value: Value | Value[] | null;
}

export interface Group {
  kind: "group";
  joined: "all" | "any";
  items: (Test | Group)[];
}

const METHODS = new Set(["contains", "startsWith", "endsWith"]);
const COMPARISONS = new Set(["==", "!=", ">", ">=", "<", "<="]);
export const FIELD = /^(payload|event|user)(\.[A-Za-z_]\w*)+$/;

export const NONE: Group = { kind: "group", joined: "all", items: [] };

export function write(group: Group): string {
  const parts = group.items.filter((item) => item.kind === "test" || item.items.length > 0).map(writeItem);
  return parts.join(group.joined === "all" ? " && " : " || ");
}

function writeItem(item: Test | Group): string {
  if (item.kind === "group") return `(${write(item)})`;
  const { field, operator, value } = item;
  if (operator === "has") return `has(${field})`;
  if (operator === "!has") return `!has(${field})`;
  if (operator === "in") return `${field} in [${(Array.isArray(value) ? value : [value]).map(literal).join(", ")}]`;
  const said = literal(Array.isArray(value) ? value[0] ?? null : value);
  return METHODS.has(operator) ? `${field}.${operator}(${said})` : `${field} ${operator} ${said}`;
}

/** JSON's strings are CEL's, escapes and all. */
function literal(value: Value | null): string {
  return JSON.stringify(value);
}

/** The tree of a condition, or null when the form cannot show all of it. */
export function read(cel: string): Group | null {
  if (!cel.trim()) return NONE;
  const tokens = split(cel);
  if (!tokens) return null;
  try {
    const reader = new Reader(tokens);
    const group = reader.group();
    if (!reader.done) return null;
    return JSON.stringify(split(write(group))) === JSON.stringify(tokens) ? group : null;
  } catch {
    return null;
  }
}

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?)|([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(&&|\|\||==|!=|>=|<=|[!<>()[\],]))/y;

function split(cel: string): string[] | null {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  let at = 0;
  while (cel.slice(at).trim()) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(cel);
    if (!found) return null;
    tokens.push(found[0].trim());
    at = TOKEN.lastIndex;
  }
  return tokens;
}

class Reader {
  private at = 0;

  constructor(private readonly tokens: string[]) {}

  get done(): boolean {
    return this.at === this.tokens.length;
  }

  group(): Group {
    const items = [this.item()];
    const sign = this.peek();
    while (this.peek() === "&&" || this.peek() === "||") {
      if (this.next() !== sign) throw new Error("mixed");
      items.push(this.item());
    }
    return { kind: "group", joined: sign === "||" ? "any" : "all", items };
  }

  private item(): Test | Group {
    if (this.peek() === "(") {
      this.next();
      const group = this.group();
      this.expect(")");
      return group;
    }
    return this.test();
  }

  private test(): Test {
    const negated = this.peek() === "!";
    if (negated) this.next();
    const word = this.next();
    if (word === "has") return this.presence(negated ? "!has" : "has");
    if (negated) throw new Error("negation");
    return this.comparison(word);
  }

  private presence(operator: "has" | "!has"): Test {
    this.expect("(");
    const field = named(this.next());
    this.expect(")");
    return { kind: "test", field, operator, value: null };
  }

  private comparison(word: string): Test {
    const operator = this.next();
    if (COMPARISONS.has(operator)) {
      return { kind: "test", field: named(word), operator: operator as Operator, value: this.value() };
    }
    if (operator === "in") return { kind: "test", field: named(word), operator: "in", value: this.list() };
    if (operator === "(") return this.method(word);
    throw new Error("unknown");
  }

  private method(word: string): Test {
    const dot = word.lastIndexOf(".");
    const operator = word.slice(dot + 1);
    if (!METHODS.has(operator)) throw new Error("method");
    const value = this.value();
    this.expect(")");
    return { kind: "test", field: named(word.slice(0, dot)), operator: operator as Operator, value };
  }

  private list(): Value[] {
    this.expect("[");
    const values = [this.value()];
    while (this.peek() === ",") {
      this.next();
      values.push(this.value());
    }
    this.expect("]");
    return values;
  }

  private value(): Value {
    const token = this.next();
    const value: unknown = JSON.parse(token);
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
    throw new Error("value");
  }

  private peek(): string | undefined {
    return this.tokens[this.at];
  }

  private next(): string {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new Error("end");
    return token;
  }

  private expect(token: string): void {
    if (this.next() !== token) throw new Error(`no ${token}`);
  }
}

function named(word: string): string {
  if (!FIELD.test(word)) throw new Error("field");
  return word;
}

/** What somebody typed, as the value it looks like: 12 and true are no texts, unless they are quoted. */
export function typedValue(text: string): Value {
  const trimmed = text.trim();
  if (/^-?\d+(\.\d+)?$/.test(trimmed) || trimmed === "true" || trimmed === "false") return JSON.parse(trimmed) as Value;
  if (/^".*"$/.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as string;
    } catch {
      return text;
    }
  }
  return text;
}

export function shownValue(value: Value | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  return typedValue(value) === value ? value : JSON.stringify(value);
}
