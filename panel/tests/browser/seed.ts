import { createServer, type Server } from "node:http";
import { post, project, type Project } from "./visit";

export interface Seeded {
  project: Project;
  ids: Record<"event" | "quiet" | "rule" | "notification" | "connection" | "endpoint" | "user", string>;
  end: () => Promise<void>;
}

/** A project in which something has happened: people, rules, events, a backend that is called and once refuses. */
export async function seeded(name: string, brand?: string): Promise<Seeded> {
  const acme = await project(name);
  const backend = await receiver();
  const call = (path: string, body: unknown, method = "POST") => post(path, body, acme, "live", method);
  if (brand) await call("/projects/me/branding", { brandColor: brand }, "PUT");
  await call("/roles", { name: "finance", description: "Looks after payments" });
  const user = await call("/users", { email: `grace@${acme.slug}.example.com`, name: "Grace Hopper", externalUserId: "emp-7", roles: ["finance"] });
  await call("/users/sync", { users: Array.from({ length: 12 }, (_, n) => ({ externalUserId: `c-${n}`, name: `Customer ${n}`, email: `c${n}@${acme.slug}.example.com` })) });
  const connection = await call("/connections", { provider: "webhook", name: "Our backend", settings: { url: `${backend.url}/hooks` } });
  await call(`/connections/${connection.id}/verify`, {});
  const endpoint = await call("/webhook-endpoints", { url: `${backend.url}/told`, eventTypes: ["*"], description: "Backend" });
  const rule = await call("/rules", {
    name: "Large orders",
    eventTypes: ["order.created"],
    condition: 'payload.amount > 1000 && payload.country in ["DE", "FR"]',
    targetRoles: ["finance", "owner"],
    channels: ["realtime", "webhook"],
    priority: "high",
    title: "Order {{ payload.orderId }}",
    message: "{{ payload.amount }} EUR from {{ payload.customer }}",
  });
  await call("/rules", { name: "Failed payments", eventTypes: ["payment.*"], targetRoles: ["owner"], channels: ["realtime"], priority: "critical", requireAck: true, repeat: { everySeconds: 600, maxTimes: 3 }, title: "Payment of {{ payload.customer }} failed" });
  await call("/rules", { name: "Odd ones", eventTypes: ["order.created"], condition: "size(payload.customer) > 30", targetRoles: ["owner"], channels: ["realtime"], title: "Long name", active: true });
  const payload = { orderId: "A-17", amount: 1250, customer: "Initech", country: "DE" };
  const event = await call("/events", { type: "order.created", payload, clientEventId: "order-4711", source: "shop" });
  const quiet = await call("/events", { type: "order.created", payload: { ...payload, amount: 12 }, source: "shop" });
  await call("/events", { type: "payment.failed", payload: { customer: "Initech", reason: "card_declined" } });
  await call("/events", { type: "customer.viewed", payload: { page: "/pricing" } });
  const story = await until(async () => {
    const said = await call(`/events/${event.id}`, null, "GET");
    const deliveries = said.trace.flatMap((each: { deliveries: { channel: string; state: string }[] }) => each.deliveries);
    return deliveries.some((each: { channel: string; state: string }) => each.channel === "webhook" && each.state === "delivered" || each.state === "sent") ? said : null;
  });
  return {
    project: acme,
    ids: { event: event.id, quiet: quiet.id, rule: rule.id, notification: story.notifications[0], connection: connection.id, endpoint: endpoint.id, user: user.id },
    end: () => new Promise((done) => backend.server.close(() => done())),
  };
}

export async function until<T>(look: () => Promise<T | null>, seconds = 20): Promise<T> {
  for (const end = Date.now() + seconds * 1_000; Date.now() < end; ) {
    const found = await look();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(`it did not happen within ${seconds} seconds`);
}

/** Somebody's backend on loopback: takes everything, but refuses every third call first. */
function receiver(): Promise<{ server: Server; url: string }> {
  let calls = 0;
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const refuses = request.url === "/told" && ++calls % 3 === 0;
      response.writeHead(refuses ? 503 : 200, { "Content-Type": "application/json" });
      response.end(JSON.stringify(refuses ? { error: "busy" } : { taken: true }));
    });
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address() as { port: number };
      done({ server, url: `http://127.0.0.1:${address.port}` });
    });
  });
}
