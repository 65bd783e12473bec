import { t } from "./t";

export interface FieldError {
  pointer: string;
  code: string;
  detail: string;
  /** Of a text with lines, from 1. */
  line?: number;
}

/** What a plan has no more of: a total's limit, or when a period begins anew. */
export interface UsedUp {
  quota: string;
  limit?: number;
  resetsAt?: string;
}

/** A refusal of the API (RFC 9457), or no answer at all. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly requestId: string | null = null,
    readonly errors: FieldError[] = [],
    readonly usedUp: UsedUp | null = null,
  ) {
    super(detail);
  }

  /** Messages by the name of a form's field: `/name` belongs to `name`. */
  get byField(): Record<string, string> {
    return Object.fromEntries(this.errors.map((each) => [each.pointer.slice(1).replaceAll("/", "."), each.detail]));
  }
}

export function unreachable(): Problem {
  return new Problem(0, "unreachable", t("The server cannot be reached. What you see may be out of date."));
}

export async function problemOf(answer: Response): Promise<Problem> {
  const id = answer.headers.get("x-request-id");
  try {
    const said = await answer.clone().json();
    return new Problem(answer.status, said.code, said.detail, said.requestId ?? id, said.errors ?? [], said.quota ? said : null);
  } catch {
    return new Problem(answer.status, "unreadable", t("The server answered {status}.", { status: answer.status }), id);
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem(0, "mistake", detail || t("Something went wrong."));
}
