// Shows notifications while no page of the panel is looked at, and leads to them. It answers no request and keeps nothing.
const PANEL = "/panel/";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  if (event.data) event.waitUntil(show(event.data.json()));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data));
});

// Browsers play no sound of ours here, only the system's. A page that is looked at has been heard already.
async function show({ title, message, notificationId, requireAck, sound }) {
  const seen = (await pages()).some((page) => page.visibilityState === "visible");
  await self.registration.showNotification(title, {
    body: message,
    tag: notificationId,
    renotify: true,
    requireInteraction: requireAck,
    silent: seen || !sound,
    data: `/notifications/${notificationId}?env=live`, // nothing of a sandbox is sent to browsers
  });
}

// In the page that was looked at last; the panel is told where to go, so that nothing is loaded again.
async function open(path) {
  const [page] = await pages();
  if (!page) return self.clients.openWindow(PANEL + path.slice(1));
  page.postMessage({ open: path });
  await page.focus();
}

async function pages() {
  const all = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => new URL(page.url).pathname.startsWith(PANEL));
}
