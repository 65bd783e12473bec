/** A refusal of the API (RFC 9457), or no answer at all: then `status` is 0 and `code` is `unreachable`. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
    this.name = "Problem";
  }
}

export async function problemOf(answer: Response): Promise<Problem> {
  try {
    const said = (await answer.json()) as { code: string; detail: string };
    return new Problem(answer.status, said.code, said.detail);
  } catch {
    return new Problem(answer.status, "unreadable", `The server answered ${answer.status}.`);
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "mistake", error instanceof Error ? error.message : String(error));
}
