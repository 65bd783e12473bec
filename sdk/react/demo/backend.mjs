// The backend of a small shop: signs identity tokens for its people and sends events. It signs up a project of its own
// with a Tocsin that runs at TOCSIN_URL, and serves the page that `vite build` made.
import { createHmac, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const TOCSIN = process.env.TOCSIN_URL ?? "http://127.0.0.1:8700";
const PORT = Number(process.env.PORT ?? 8790);
const NAME = process.env.SHOP ?? "Corner Coffee";
const PEOPLE = { ann: "Ann", ben: "Ben", cleo: "Cleo" };
const DIST = fileURLToPath(new URL("./dist/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

let keys = null;

async function call(path, body) {
  const headers = { "Content-Type": "application/json", ...(keys && { "X-API-Key": keys.key, "X-API-Secret": keys.secret }) };
  const answer = await fetch(`${TOCSIN}/api/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
}

/** What a project needs once: a role, and rules for its events. */
async function opened() {
  const email = `owner-${randomUUID().slice(0, 8)}@coffee.example`;
  const made = await call("/signup", { email, password: randomUUID(), projectName: NAME });
  keys = made.apiKeys.live;
  await call("/roles", { name: "barista", description: "Behind the counter" });
  await call("/connections", { provider: "webpush", name: "Browsers", settings: { subject: "mailto:owner@coffee.example" } });
  const rule = { targetRoles: ["barista"], channels: ["realtime", "web_push"] };
  await call("/rules", {
    ...rule, name: "New order", eventTypes: ["order.placed"], topic: "orders", priority: "high", requireAck: true, sound: "bell",
    title: "Order {{ payload.number }}", message: "{{ payload.what }} for {{ payload.customer }}",
  });
  await call("/rules", {
    ...rule, name: "Low stock", eventTypes: ["stock.low"], topic: "stock", sound: "knock",
    title: "{{ payload.item }} run low", message: "{{ payload.left }} bags are left.",
    action: { url: "https://supplier.example/order", label: "Order more" },
  });
  return { projectId: made.project.id, secret: made.identitySecrets.live };
}

/** Who somebody is, as only this backend can say it: good for one use within five minutes. */
function identityToken({ projectId, secret }, person) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    sub: person, name: PEOPLE[person], roles: ["barista"],
    aud: projectId, exp: Math.floor(Date.now() / 1000) + 300, jti: randomUUID(),
  };
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
}

let orders = 0;
const EVENTS = {
  "/order": () => ({ type: "order.placed", payload: { number: ++orders, what: "Two flat whites", customer: "Grace" } }),
  "/stock": () => ({ type: "stock.low", payload: { item: "House beans", left: 3 } }),
};

async function answered(project, { method, url }) {
  const { pathname, searchParams } = new URL(url, "http://shop");
  if (method === "POST" && EVENTS[pathname]) {
    await call("/events", EVENTS[pathname]());
    return ["text/plain", "Sent."];
  }
  if (pathname === "/shop") return ["application/json", JSON.stringify({ url: TOCSIN, apiKey: keys.key, name: NAME, people: PEOPLE })];
  const person = searchParams.get("as");
  if (pathname === "/token" && person in PEOPLE) return ["text/plain", identityToken(project, person)];
  if (pathname === "/tocsin-push.js") return ["text/javascript", await readFile(new URL("../push-worker.js", import.meta.url))];
  const path = join(DIST, normalize(pathname === "/" ? "/index.html" : pathname));
  return [TYPES[extname(path)] ?? "application/octet-stream", await readFile(path)];
}

const project = await opened();
const server = createServer((request, response) => {
  answered(project, request)
    .then(([type, body]) => response.writeHead(200, { "Content-Type": type }).end(body))
    .catch((error) => response.writeHead(error.code === "ENOENT" ? 404 : 502).end(String(error.message)));
});
server.listen(PORT, "127.0.0.1", () => console.log(`The shop is open: http://127.0.0.1:${server.address().port}/?as=ann`));
