/** The browser's side of Web Push: the worker that shows what arrives, and the subscription that leads to it. */
const WORKER = "/panel/push.js";

export const supported = (): boolean => "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

export async function subscription(): Promise<PushSubscription | null> {
  return (await (await registered())?.pushManager.getSubscription()) ?? null;
}

/** One for this key; one for another is given up, since its key sends no more. Throws where the browser refuses. */
export async function subscribed(key: string): Promise<PushSubscription> {
  const worker = (await registered()) ?? (await navigator.serviceWorker.register(WORKER));
  await navigator.serviceWorker.ready;
  const before = await worker.pushManager.getSubscription();
  if (before && keyOf(before) === key) return before;
  await before?.unsubscribe();
  return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

export async function unsubscribed(): Promise<void> {
  await (await subscription())?.unsubscribe();
}

/** Takes a notification of the system away. */
export async function takeAway(id: string): Promise<void> {
  const shown = (await (await registered())?.getNotifications({ tag: id })) ?? [];
  for (const one of shown) one.close();
}

/** Calls back with the page that a click on a notification asks for. */
export function onOpened(go: (path: string) => void): void {
  if (!supported()) return;
  navigator.serviceWorker.addEventListener("message", ({ data }: MessageEvent<{ open?: string }>) => {
    if (data.open) go(data.open);
  });
}

async function registered(): Promise<ServiceWorkerRegistration | undefined> {
  return supported() ? navigator.serviceWorker.getRegistration(WORKER) : undefined;
}

export function keyOf({ options }: PushSubscription): string {
  const bytes = new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
