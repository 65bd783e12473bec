// Serve this file from your own origin and name it in <TocsinProvider pushWorker="...">, or import it into the worker
// that you have: importScripts("tocsin-push.js"). Beside one with a Web Push of its own it needs a folder of its own, and
// is told which pages it is for: "/tocsin/push-worker.js?page=/". It shows what arrives; it answers no request and keeps
// nothing.
self.addEventListener("push", (event) => {
  const told = event.data?.json();
  if (told?.notificationId) event.waitUntil(shown(told));
});

self.addEventListener("notificationclick", (event) => {
  if (!event.notification.tag.startsWith("tocsin:")) return;
  event.notification.close();
  event.waitUntil(opened(event.notification.data));
});

// Browsers play no sound of ours here, only the system's. A page that is looked at rings by itself.
async function shown({ title, message, notificationId, requireAck, sound, url }) {
  const seen = (await pages()).some((page) => page.visibilityState === "visible");
  await self.registration.showNotification(title, {
    body: message,
    tag: `tocsin:${notificationId}`,
    renotify: true,
    requireInteraction: requireAck,
    silent: seen || !sound,
    data: url,
  });
}

// Where the notification leads, else to the page.
async function opened(url) {
  const [page] = await pages();
  if (url || !page) return self.clients.openWindow(url ?? home());
  await page.focus();
}

async function pages() {
  const all = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => page.url.startsWith(home()));
}

function home() {
  const at = new URL(self.location);
  return new URL(at.searchParams.get("page") ?? self.registration.scope, at).href;
}
