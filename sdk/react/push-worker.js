// Serve this file from your own origin and name it in <TocsinProvider pushWorker="...">, or import it into the worker
// that you have: importScripts("tocsin-push.js"). It shows what arrives; it answers no request and keeps nothing.
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
  if (url || !page) return self.clients.openWindow(url ?? self.registration.scope);
  await page.focus();
}

async function pages() {
  const all = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => page.url.startsWith(self.registration.scope));
}
