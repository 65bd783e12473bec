import { createServer, type Server } from "node:http";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { until } from "./seed";
import { PASSWORD, post, type Project, URL_ } from "./visit";

const TELEGRAM = process.env.TELEGRAM_PEOPLE;
const MAILDIR = process.env.MAILDIR;

export interface Person {
  id: string;
  email: string;
  token: string;
}

let made = 0;

/** Somebody of a project, who came by the link of an invitation and has a password. */
export async function person(of: Project, name: string, roles: string[]): Promise<Person> {
  const email = `${name.toLowerCase()}-${made++}@${of.slug}.example.com`;
  const { id } = await post("/users", { email, name, roles }, of);
  await post(`/users/${id}/invite`, {}, of);
  const { tokens } = await post("/invites/accept", { token: await mailed(email), password: PASSWORD });
  return { id, email, token: tokens.accessToken };
}

/** What stands in the link of the newest mail to an address, once one is there that is none of `before`. */
export function mailed(email: string, before: string[] = []): Promise<string> {
  return until(async () => tokens(email).find((token) => !before.includes(token)) ?? null);
}

export function tokens(email: string): string[] {
  const folder = join(MAILDIR!, "new");
  const mails = readdirSync(folder).map((name) => ({ at: statSync(join(folder, name)).mtimeMs, text: readFileSync(join(folder, name), "utf8") }));
  const mine = mails.filter(({ text }) => text.includes(`X-RcptTo: ${email}`)).sort((one, other) => other.at - one.at);
  return mine.flatMap(({ text }) => /\blk_[\w-]+/.exec(decoded(text)) ?? []);
}

/** A mail with its parts as they were written: plain, quoted or in base64. */
function decoded(mail: string): string {
  const plain = mail.replace(/base64\r?\n(?:.+\r?\n)*\r?\n([A-Za-z0-9+/=\r\n]+)/g, (_, part: string) => Buffer.from(part, "base64").toString());
  return plain.replace(/=\r?\n/g, "").replaceAll("=3D", "=");
}

/** A call with somebody's own token; its status and what it said. */
export async function as(token: string, method: string, path: string, body?: unknown): Promise<{ status: number; said: Record<string, unknown> }> {
  const answer = await fetch(`${URL_}/api/v1${path}`, {
    method,
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, said: answer.status === 204 ? {} : ((await answer.json()) as Record<string, unknown>) };
}

/** Somebody in Telegram who opens a link to a bot and presses Start. */
export async function start(botToken: string, link: string, chat: number): Promise<void> {
  const from = { id: chat, first_name: "Ann", is_bot: false };
  const text = `/start ${new URL(link).searchParams.get("start")}`;
  const entities = [{ offset: 0, length: 6, type: "bot_command" }];
  await telegram("sendCommand", { botToken, date: Math.floor(Date.now() / 1000), from, chat: { id: chat, type: "private" }, text, entities });
}

/** The next thing that a bot says in a chat. */
export function heard(botToken: string, chat: number): Promise<string> {
  return until(async () => {
    const { result } = await telegram("getUpdates", { token: botToken, chatId: chat });
    return result[0]?.message.text ?? null;
  });
}

async function telegram(path: string, body: unknown) {
  const answer = await fetch(`${TELEGRAM}/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return (await answer.json()) as { result: { message: { text: string } }[] };
}

/** What Meta's documentation says that it answers, for one number and its account. */
export function meta(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    const last = new URL(request.url!, "http://meta").pathname.split("/").at(-1)!;
    const answers: Record<string, unknown> = {
      messages: { messaging_product: "whatsapp", messages: [{ id: "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA" }] },
      message_templates: { data: [{ id: "1", name: "alert", language: "en_US", status: "APPROVED", category: "UTILITY", components: [{ type: "BODY", text: "{{1}}: {{2}}" }] }] },
      subscribed_apps: { data: [{ whatsapp_business_api_data: { id: "1", name: "Acme", link: "https://example.com" } }] },
    };
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answers[last] ?? { id: last, display_phone_number: "+1 631-555-5555", verified_name: "Acme", quality_rating: "GREEN" }));
  });
  return new Promise((done) => server.listen(Number(process.env.META_PORT), "127.0.0.1", () => done(server)));
}
