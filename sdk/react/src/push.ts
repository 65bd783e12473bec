import { Problem } from "./problem.js";
import type { Session } from "./session.js";
import type { Device, WebPush } from "./shapes.js";

/** `unconnected`: the project has no Web Push. `refused`: the browser does not want to. */
export type PushStanding = "unknown" | "unsupported" | "unconnected" | "refused" | "off" | "on";

interface Here {
  userId: string;
  addressId: string;
  endpoint: string;
}

/** Whether this browser tells its person things while no page is open. */
export class BrowserPush {
  private readonly store: string;
  private key: string | null = null;

  constructor(
    private readonly session: Session,
    /** The address of `push-worker.js` on the page's own origin. */
    private readonly worker: string,
  ) {
    this.store = `tocsin.push.${session.apiKey}`;
  }

  /** At each start of a page, where this browser was switched on. */
  async renew(): Promise<void> {
    if (this.kept() && supported()) await this.look();
  }

  /** How it stands, after each side has given up what the other one did. */
  async look(): Promise<PushStanding> {
    if (!supported()) return "unsupported";
    const userId = await this.session.userId();
    this.key = (await this.session.call<WebPush>("GET", "/web-push")).publicKey;
    const here = this.kept();
    if (here) await this.settle(here, userId);
    if (this.kept()) return "on";
    if (!this.key) return "unconnected";
    return Notification.permission === "denied" ? "refused" : "off";
  }

  /** From a click, which is when a browser lets itself be asked. */
  async turnOn(): Promise<PushStanding> {
    if (!this.key) return this.look();
    if ((await Notification.requestPermission()) !== "granted") return "refused";
    await this.register(await this.session.userId());
    return "on";
  }

  async turnOff(): Promise<PushStanding> {
    const here = this.kept();
    this.keep(null);
    await this.unsubscribe();
    if (here) await this.remove(here);
    return this.key ? "off" : "unconnected";
  }

  /** Whoever was here before is told nothing here any more, nor whose address was removed elsewhere. */
  private async settle(here: Here, userId: string): Promise<void> {
    const devices = here.userId === userId ? await this.session.call<Device[]>("GET", `/users/${userId}/addresses`) : [];
    if (!devices.some(({ id }) => id === here.addressId)) {
      this.keep(null);
      await this.unsubscribe();
    } else if (Notification.permission !== "granted") await this.turnOff();
    else if (this.key) await this.register(userId);
  }

  private async register(userId: string): Promise<void> {
    const here = this.kept();
    const there = await this.subscribe();
    if (here?.userId === userId && here.endpoint === there.endpoint) return;
    const body = { channel: "webpush", value: JSON.stringify(there), label: location.hostname };
    const { id } = await this.session.call<Device>("POST", `/users/${userId}/addresses`, body);
    this.keep({ userId, addressId: id, endpoint: there.endpoint });
    if (here?.userId === userId && here.addressId !== id) await this.remove(here);
  }

  private async remove({ userId, addressId }: Here): Promise<void> {
    await this.session.call("DELETE", `/users/${userId}/addresses/${addressId}`).catch((error: unknown) => {
      if (!(error instanceof Problem && error.status === 404)) throw error;
    });
  }

  /** One for the key that sends; one for another is given up. */
  private async subscribe(): Promise<PushSubscription> {
    const worker = await navigator.serviceWorker.register(this.worker);
    await navigator.serviceWorker.ready;
    const before = await worker.pushManager.getSubscription();
    if (before && keyOf(before) === this.key) return before;
    await before?.unsubscribe();
    return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.key! });
  }

  private async unsubscribe(): Promise<void> {
    const worker = await navigator.serviceWorker.getRegistration(this.worker);
    await (await worker?.pushManager.getSubscription())?.unsubscribe();
  }

  private kept(): Here | null {
    try {
      return JSON.parse(localStorage.getItem(this.store) ?? "null") as Here | null;
    } catch {
      return null;
    }
  }

  private keep(here: Here | null): void {
    try {
      if (here) localStorage.setItem(this.store, JSON.stringify(here));
      else localStorage.removeItem(this.store);
    } catch {
      // A browser that keeps nothing is asked again on the next page.
    }
  }
}

const supported = (): boolean => "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

function keyOf({ options }: PushSubscription): string {
  const bytes = new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
