import { until } from "./seed";
import { PASSWORD, URL_ } from "./visit";

export const OPERATOR = "root@operator.example";

let token: string | null = null;

/** A call as the admin of the platform, whom `platform.browser.ts` makes by the link of the first one: until it has, this waits. */
export async function operate(path: string, method = "GET", body?: unknown) {
  token ??= await until(signedIn, 80);
  const { status, said } = await send(path, method, body, token);
  if (status >= 400) throw new Error(`${path}: ${JSON.stringify(said)}`);
  return said;
}

async function signedIn(): Promise<string | null> {
  const { status, said } = await send("/auth/login", "POST", { email: OPERATOR, password: PASSWORD });
  return status === 200 ? said.tokens.accessToken : null;
}

async function send(path: string, method: string, body: unknown, bearer?: string) {
  const answer = await fetch(`${URL_}/api/v1/platform${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...(bearer && { Authorization: `Bearer ${bearer}` }) },
    ...(method !== "GET" && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, said: answer.status === 204 ? null : await answer.json() };
}
