// Shows what the nodes push, also when no page is open, and opens the event's
// page at a tap. The payload is drawn in node/channel/webpush/doc.go; a form
// that is not known is still shown: an alarm is never dropped in silence.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));

self.addEventListener("push", (e) => {
  let message = {};
  try {
    message = e.data.json();
  } catch {
    // shown without words of its own
  }
  const n = message.notification || {};
  const event = message.event || {};
  e.waitUntil(self.registration.showNotification(n.title || "Vedetta", {
    body: n.body || "",
    lang: n.lang,
    dir: n.dir || "auto",
    tag: n.tag || undefined,
    renotify: Boolean(n.tag && n.renotify),
    silent: Boolean(n.silent),
    requireInteraction: Boolean(n.requireInteraction),
    timestamp: n.timestamp || Date.now(),
    icon: "/static/icon-192.png",
    data: { path: event.id ? "/events/" + encodeURIComponent(event.id) : "/" },
  }));
});

self.addEventListener("notificationclick", (e) => {
  e.notification.close();
  const target = new URL((e.notification.data && e.notification.data.path) || "/", self.location.origin).href;
  e.waitUntil((async () => {
    const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    for (const w of windows) {
      if (w.url === target) return w.focus();
    }
    if (windows.length > 0 && windows[0].navigate) {
      const w = await windows[0].navigate(target).catch(() => null);
      if (w) return w.focus();
    }
    return self.clients.openWindow(target);
  })());
});
