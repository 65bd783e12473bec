import { createDecipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { Page } from "playwright-core";

interface Told {
  title: string;
  notificationId: string;
}

/** A push service on loopback, for a Chromium that has none: it makes subscriptions and keeps what is sent to them. */
export class PushService {
  readonly told: { endpoint: string; text: string }[] = [];
  private readonly made = new Map<string, { ecdh: ECDH; auth: Buffer }>();
  private constructor(private readonly server: Server) {}

  static start(): Promise<PushService> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => response.writeHead(service.take(request.url!, Buffer.concat(parts))).end());
    });
    const service = new PushService(server);
    return new Promise((done) => server.listen(0, "127.0.0.1", () => done(service)));
  }

  /** What `PushSubscription.toJSON()` says of a new one. */
  subscribe() {
    const [ecdh, auth] = [createECDH("prime256v1"), randomBytes(16)];
    const path = `/${randomBytes(12).toString("hex")}`;
    this.made.set(path, { ecdh, auth });
    const keys = { p256dh: ecdh.generateKeys("base64url"), auth: auth.toString("base64url") };
    return { endpoint: `http://127.0.0.1:${(this.server.address() as { port: number }).port}${path}`, expirationTime: null, keys };
  }

  stop(): void {
    this.server.close();
  }

  /** The newest that was told, once it is. */
  async newest(title: string): Promise<{ text: string; told: Told }> {
    for (let tries = 0; tries < 100; tries++) {
      const found = this.told.map(({ text }) => ({ text, told: JSON.parse(text) as Told })).find(({ told }) => told.title === title);
      if (found) return found;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`Nothing was pushed under the title ${title}.`);
  }

  private take(path: string, body: Buffer): number {
    const known = this.made.get(path);
    if (!known) return 410;
    this.told.push({ endpoint: path, text: decrypted(body, known.ecdh, known.auth) });
    return 201;
  }
}

/** By RFC 8188 and 8291, of one record. */
function decrypted(body: Buffer, ecdh: ECDH, auth: Buffer): string {
  const [salt, sender, sealed] = [body.subarray(0, 16), body.subarray(21, 21 + body[20]!), body.subarray(21 + body[20]!)];
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), ecdh.getPublicKey(), sender]);
  const shared = Buffer.from(hkdfSync("sha256", ecdh.computeSecret(sender), auth, info, 32));
  const derived = (name: string, length: number) => Buffer.from(hkdfSync("sha256", shared, salt, `Content-Encoding: ${name}\0`, length));
  const opening = createDecipheriv("aes-128-gcm", derived("aes128gcm", 16), derived("nonce", 12));
  opening.setAuthTag(sealed.subarray(-16));
  const plain = Buffer.concat([opening.update(sealed.subarray(0, -16)), opening.final()]);
  return plain.subarray(0, plain.lastIndexOf(2)).toString();
}

const KEPT = "of-the-test.subscription";

/** Gives a page subscriptions of that service. Permission, worker and notifications stay Chromium's own. */
export async function withPushService(page: Page, service: PushService): Promise<void> {
  await page.exposeFunction("subscribeAtService", () => service.subscribe());
  await page.addInitScript(
    `(() => {
      const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0)).buffer;
      const shown = ({ key, ...said }) => ({
        endpoint: said.endpoint,
        options: { applicationServerKey: bytes(key) },
        toJSON: () => said,
        unsubscribe: async () => { localStorage.removeItem("${KEPT}"); return true; },
      });
      PushManager.prototype.subscribe = async ({ applicationServerKey: key }) => {
        if (Notification.permission !== "granted") throw new DOMException("Registration failed - permission denied", "NotAllowedError");
        const made = { key, ...(await subscribeAtService()) };
        localStorage.setItem("${KEPT}", JSON.stringify(made));
        return shown(made);
      };
      PushManager.prototype.getSubscription = async () => {
        const kept = localStorage.getItem("${KEPT}");
        return kept && shown(JSON.parse(kept));
      };
    })()`,
  );
}

/** As when somebody clears what the browser kept. */
export const forget = (page: Page) => page.evaluate(`localStorage.removeItem("${KEPT}")`);

export const isSubscribed = (page: Page) => page.evaluate(`localStorage.getItem("${KEPT}") !== null`);

/** Hands a message to the page's worker as Chromium's own push service would. */
export async function delivering(page: Page): Promise<(text: string) => Promise<void>> {
  const debug = await page.context().newCDPSession(page);
  const registrations = new Map<string, string>();
  debug.on("ServiceWorker.workerRegistrationUpdated", ({ registrations: changed }) => {
    for (const one of changed) if (!one.isDeleted) registrations.set(one.scopeURL, one.registrationId);
  });
  await debug.send("ServiceWorker.enable");
  return async (data) => {
    const known = () => [...registrations].find(([scope]) => scope.endsWith("/panel/"));
    // The page may know of its worker before the debugger does.
    for (let tries = 0; tries < 50 && !known(); tries++) await new Promise((done) => setTimeout(done, 100));
    const found = known();
    if (!found) throw new Error("The panel has no worker.");
    await debug.send("ServiceWorker.deliverPushMessage", { origin: new URL(found[0]).origin, registrationId: found[1], data });
  };
}

/** What the system shows now. */
export const shownBySystem = (page: Page) =>
  page.evaluate(`navigator.serviceWorker.getRegistration("/panel/")
    .then((worker) => worker.getNotifications())
    .then((all) => all.map(({ title, body, tag, silent, requireInteraction }) => ({ title, body, tag, silent, requireInteraction })))`) as Promise<Record<string, unknown>[]>;

/** Takes away what the system shows. */
export const nothingShown = (page: Page) =>
  page.evaluate(`navigator.serviceWorker.getRegistration("/panel/")
    .then((worker) => worker.getNotifications())
    .then((all) => all.forEach((one) => one.close()))`);
