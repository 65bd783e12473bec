import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import type { Problem } from "@/lib/problem";
import { t } from "@/lib/t";

export type Template = Schemas["ProjectTemplate"];
export type Default = Schemas["DefaultTemplate"];
export type Kind = Template["kind"];
export type Channel = NonNullable<Schemas["TemplateBody"]["channel"]>;

export function kindIn(word: string | null | undefined): Kind {
  return word === "system_mail" || word === "digest" || word === "layout" ? word : "notification";
}

/** Whether there is a default that a project may replace, rather than a name of its own. */
export function hasDefault(kind: Kind): boolean {
  return kind === "system_mail" || kind === "layout";
}

/** What one template is known by. */
export interface Key {
  kind: Kind;
  name: string;
  language: string;
  channel: string | null;
}

const AT_ONCE = 200;

/** All of the project's own, of which there are a thousand at most. */
export function useTemplates() {
  return useQuery({ queryKey: ["templates", "all"], queryFn: ({ signal }) => everyOne(signal) });
}

async function everyOne(signal: AbortSignal): Promise<Template[]> {
  const found: Template[] = [];
  let cursor: string | undefined;
  do {
    const page = await answered(api.GET("/api/v1/templates", { params: { query: { limit: AT_ONCE, cursor } }, signal }));
    found.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor);
  return found.sort((one, other) => one.name.localeCompare(other.name) || one.language.localeCompare(other.language));
}

/** The mails whose words a project may replace, as they are worded otherwise, and the layout around mails. */
export function useDefaults() {
  return useQuery({
    queryKey: ["templates", "defaults"],
    staleTime: 60_000,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/templates/defaults", { signal })),
  });
}

export function addressOf({ kind, name, language, channel }: Partial<Key>): string {
  const parts = Object.entries({ kind, name, language, channel }).filter(([, value]) => value) as [string, string][];
  return `/templates/edit?${new URLSearchParams(parts)}`;
}

/** `de` as people say it, in the reader's language; the code itself where nobody knows it. */
export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(code) ?? code;
  } catch {
    return code; // being typed
  }
}

/** What is wrong with a template by its fields, with the line where HTML has many. */
export function mistakesIn(kind: Kind, problem: Problem): Record<string, string> {
  const wrong = problem.errors.find(({ pointer }) => pointer === "/body");
  if (kind !== "layout" || !wrong?.line) return problem.byField;
  return { ...problem.byField, body: t("Line {line}: {mistake}", { line: wrong.line, mistake: wrong.detail }) };
}

/** `email_change_notice` as a heading. */
export function titleOf(kind: Kind, name: string): string {
  if (kind === "layout") return t("Layout of mails");
  const words = name.replace(/[_-]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
