import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import type { Row, Sheet } from "./table";

export type Person = Schemas["UserFields"];
/** What a column becomes: a field of a person, something kept beside them, or nothing. */
export type Target = "externalUserId" | "email" | "name" | "phone" | "roles" | "locale" | "timezone" | "avatarUrl" | "status" | "metadata" | "addresses" | "other" | "none";
export type Mapping = Record<string, Target>;

export interface Checked {
  row: Row;
  person: Person;
  /** Why it cannot be brought in. */
  mistakes: string[];
}

export const TARGETS: { value: Target; label: string }[] = [
  { value: "externalUserId", label: t("Own id") },
  { value: "email", label: t("E-mail") },
  { value: "name", label: t("Name") },
  { value: "phone", label: t("Phone") },
  { value: "roles", label: t("Roles") },
  { value: "locale", label: t("Language") },
  { value: "timezone", label: t("Time zone") },
  { value: "avatarUrl", label: t("Picture") },
  { value: "status", label: t("Status") },
  { value: "addresses", label: t("Addresses (JSON)") },
  { value: "metadata", label: t("Metadata (JSON)") },
  { value: "other", label: t("Keep as metadata") },
  { value: "none", label: t("Leave out") },
];

const KNOWN: [Target, RegExp][] = [
  ["externalUserId", /^(externaluserid|externalid|userid|id|customerid|employeeid|uid|key)$/],
  ["email", /^(email|emailaddress|mail|emailadresse)$/],
  ["name", /^(name|fullname|displayname)$/],
  ["phone", /^(phone|phonenumber|mobile|tel|telephone|telefon)$/],
  ["roles", /^(roles?|groups?|team|teams)$/],
  ["locale", /^(locale|language|lang)$/],
  ["timezone", /^(timezone|tz)$/],
  ["avatarUrl", /^(avatarurl|avatar|picture|photo)$/],
  ["status", /^(status)$/],
  ["addresses", /^(addresses)$/],
  ["metadata", /^(metadata|attributes)$/],
];

/** A guess by the names of the columns; each field is guessed once, and what says nothing is kept beside the person. */
export function guessed({ columns }: Sheet): Mapping {
  const taken = new Set<Target>();
  const guess = (column: string): Target => {
    const plain = column.toLowerCase().replace(/[^a-z]/g, "");
    const target = KNOWN.find(([each, name]) => name.test(plain) && !taken.has(each))?.[0] ?? "other";
    taken.add(target);
    return target;
  };
  return Object.fromEntries(columns.map((column) => [column, guess(column)]));
}

/** Every row as a person, with what is wrong with it; the server looks again. */
export function checked({ rows }: Sheet, mapping: Mapping, roles: string[]): Checked[] {
  const seen = new Map<string, number>();
  return rows.map((row) => {
    const [person, unread] = personOf(row, mapping);
    return { row, person, mistakes: [...unread, ...mistakes(person, roles), ...repeated(person, row, seen)] };
  });
}

function personOf({ cells }: Row, mapping: Mapping): [Person, string[]] {
  const person: Record<string, unknown> = {};
  const other: Record<string, unknown> = {};
  const unread: string[] = [];
  for (const [column, target] of Object.entries(mapping)) {
    const value = cells[column];
    // An empty cell says nothing, and what is known of the person stays.
    if (target === "none" || value === undefined || value === null || value === "") continue;
    if (target === "other") other[column] = value;
    else if (target === "roles") person.roles = listed(value);
    else if (target === "addresses" || target === "metadata") {
      const found = objectOf(value);
      if (found) person[target] = found;
      else unread.push(t("“{column}” is no JSON object", { column }));
    } else person[target] = target === "email" || target === "status" ? String(value).toLowerCase() : String(value);
  }
  if (Object.keys(other).length) person.metadata = { ...(person.metadata as object | undefined), ...other };
  return [person as Person, unread];
}

function listed(value: unknown): string[] {
  const all = Array.isArray(value) ? value.map(String) : String(value).split(/[,;|]/);
  return all.map((each) => each.trim()).filter(Boolean);
}

function objectOf(value: unknown): object | null {
  if (typeof value === "object") return Array.isArray(value) ? null : value;
  try {
    const found: unknown = JSON.parse(String(value));
    return typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
// As openapi.json has them.
const PHONE = /^\+[ ().-]*[1-9]([ ().-]*[0-9]){6,14}[ ().-]*$/;
const LOCALE = /^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$/;
const LONGEST = 200;

function mistakes(person: Person, roles: string[]): string[] {
  const { externalUserId, email, name, phone, locale, status } = person;
  const strange = (person.roles ?? []).filter((role) => !roles.includes(role));
  const found: [boolean, string][] = [
    [!externalUserId && !email, t("neither an own id nor an e-mail")],
    [Boolean(email) && !EMAIL.test(email!), t("“{value}” is no e-mail address", { value: email ?? "" })],
    [Boolean(phone) && !PHONE.test(phone!), t("“{value}” is no phone number with its country, as in +491701234567", { value: phone ?? "" })],
    [Boolean(locale) && !LOCALE.test(locale!), t("“{value}” is no language, as in de or en-GB", { value: locale ?? "" })],
    [Boolean(status) && status !== "active" && status !== "disabled", t("the status is active or disabled")],
    [strange.length > 0, t("no role is called {names}", { names: strange.map((role) => `“${role}”`).join(", ") })],
    [(name?.length ?? 0) > LONGEST || (externalUserId?.length ?? 0) > LONGEST, t("name and own id have 200 characters at most")],
  ];
  return found.filter(([wrong]) => wrong).map(([, words]) => words);
}

function repeated({ externalUserId, email }: Person, { line }: Row, seen: Map<string, number>): string[] {
  const names = [externalUserId && `id ${externalUserId}`, email && `mail ${email}`].filter(Boolean) as string[];
  const before = names.map((name) => seen.get(name)).find((found) => found !== undefined);
  for (const name of names) if (!seen.has(name)) seen.set(name, line);
  return before === undefined ? [] : [t("the same person as in line {line}", { line: before })];
}
