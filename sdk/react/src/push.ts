import { Problem } from "./problem.js";
import type { Session } from "./session.js";
import type { Device, WebPush } from "./shapes.js";

/**
 * `unconnected`: the project has no Web Push. `refused`: the browser does not want to. `taken`: the worker is subscribed
 * for the page's own Web Push or for another project, which is not ours to end.
 */
export type PushStanding = "unknown" | "unsupported" | "unconnected" | "refused" | "taken" | "off" | "on";

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
    /** The address of `push-worker.js` on the page's own origin; `?page=` names pages that are not beside it. */
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
    if (Notification.permission === "denied") return "refused";
    const there = await (await this.registered())?.pushManager.getSubscription();
    return there && this.isForeign(there) ? "taken" : "off";
  }

  /** From a click, which is when a browser lets itself be asked. */
  async turnOn(): Promise<PushStanding> {
    if (!this.key) return this.look();
    if ((await Notification.requestPermission()) !== "granted") return "refused";
    return (await this.register(await this.session.userId())) ? "on" : "taken";
  }

  /** Either side alone ends it: what the server does not send or the browser does not take is not shown. */
  async turnOff(): Promise<PushStanding> {
    const here = this.kept();
    if (here) {
      const [taking, sending] = await Promise.allSettled([this.unsubscribe(here), this.remove(here)]);
      if (taking.status === "rejected" && sending.status === "rejected") throw sending.reason;
      this.keep(null);
    }
    return this.key ? "off" : "unconnected";
  }

  /** Whoever was here before is told nothing here any more, nor whose address was removed elsewhere. */
  private async settle(here: Here, userId: string): Promise<void> {
    const devices = here.userId === userId ? await this.session.call<Device[]>("GET", `/users/${userId}/addresses`) : [];
    if (!devices.some(({ id }) => id === here.addressId)) {
      await this.unsubscribe(here);
      this.keep(null);
    } else if (Notification.permission !== "granted") await this.turnOff();
    else if (this.key && !(await this.register(userId))) await this.turnOff();
  }

  /** False where the worker is taken. */
  private async register(userId: string): Promise<boolean> {
    const here = this.kept();
    const there = await this.subscribe();
    if (!there) return false;
    if (here?.userId === userId && here.endpoint === there.endpoint) return true;
    const body = { channel: "webpush", value: JSON.stringify(there), label: location.hostname };
    const { id } = await this.session.call<Device>("POST", `/users/${userId}/addresses`, body);
    this.keep({ userId, addressId: id, endpoint: there.endpoint });
    if (here?.userId === userId && here.addressId !== id) await this.remove(here);
    return true;
  }

  private async remove({ userId, addressId }: Here): Promise<void> {
    await this.session.call("DELETE", `/users/${userId}/addresses/${addressId}`).catch((error: unknown) => {
      if (!(error instanceof Problem && error.status === 404)) throw error;
    });
  }

  /** One for the key that sends; one of ours for another is given up. Null where the worker is taken. */
  private async subscribe(): Promise<PushSubscription | null> {
    const worker = await this.running();
    const before = await worker.pushManager.getSubscription();
    if (before && this.isForeign(before)) return null;
    if (before && keyOf(before) === this.key) return before;
    await before?.unsubscribe();
    return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.key! });
  }

  /** This one alone; what else the worker may be subscribed for stays. */
  private async unsubscribe({ endpoint }: Here): Promise<void> {
    const there = await (await this.registered())?.pushManager.getSubscription();
    if (there?.endpoint === endpoint) await there.unsubscribe();
  }

  private isForeign(there: PushSubscription): boolean {
    return there.endpoint !== this.kept()?.endpoint && keyOf(there) !== this.key;
  }

  /** The worker once it runs. `ready` of the browser is another one's where this one's scope does not hold the page. */
  private async running(): Promise<ServiceWorkerRegistration> {
    const { at, home } = this.places();
    if (!location.href.startsWith(home)) throw new Problem(0, "outside_scope", `${at} is for pages below ${home}, which this one is not.`);
    const worker = await navigator.serviceWorker.register(at);
    await started(worker);
    return worker;
  }

  private async registered(): Promise<ServiceWorkerRegistration | undefined> {
    const { scope } = this.places();
    const found = await navigator.serviceWorker.getRegistration(scope);
    return found?.scope === scope ? found : undefined;
  }

  /** Where the worker is, what is registered for it, and the pages that it is for. */
  private places(): Record<"at" | "scope" | "home", string> {
    const at = new URL(this.worker, location.href);
    return { at: at.href, scope: new URL(".", at).href, home: new URL(at.searchParams.get("page") ?? ".", at).href };
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

async function started({ active, waiting, installing }: ServiceWorkerRegistration): Promise<void> {
  const worker = (active ?? waiting ?? installing)!;
  while (worker.state !== "activated") {
    if (worker.state === "redundant") throw new Problem(0, "worker_failed", `${worker.scriptURL} could not be started.`);
    await new Promise((changed) => worker.addEventListener("statechange", changed, { once: true }));
  }
}

function keyOf({ options }: PushSubscription): string {
  const bytes = new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
