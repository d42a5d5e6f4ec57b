// Asks this browser for a push subscription and hands it to our server with
// the page's own form. Says in words when the browser can't.
"use strict";

(() => {
  const box = document.getElementById("device");
  if (!box) return;
  const text = document.getElementById("device-text");
  const pulse = document.getElementById("device-pulse");
  const form = document.getElementById("device-form");
  const owners = Array.from(document.querySelectorAll(".device-of"));

  function say(name, state) {
    text.textContent = box.dataset[name];
    pulse.dataset.state = state;
  }

  const bytes = (b64) => Uint8Array.from(atob(b64.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const base64url = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const same = (a, b) => a && b && base64url(a) === base64url(b);

  const apple = /iPad|iPhone|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
  const installed = navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;

  // The id by which the page names a subscription without telling it.
  async function idOf(endpoint) {
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint));
    return base64url(sum.slice(0, 9));
  }

  async function start() {
    if (!isSecureContext) return say("insecure", "lost");
    if (apple && !installed && !("PushManager" in window)) return say("ios", "lost");
    if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return say("unsupported", "lost");
    if (Notification.permission === "denied") return say("denied", "lost");
    const worker = await navigator.serviceWorker.register("/sw.js");
    const now = await worker.pushManager.getSubscription();
    let active = false;
    if (now && same(now.options.applicationServerKey, bytes(box.dataset.key).buffer)) {
      const id = await idOf(now.endpoint);
      for (const o of owners) {
        if (!o.dataset.devices.split(" ").includes(id)) continue;
        o.elements.device.value = id;
        o.hidden = false;
        active = true;
      }
    }
    form.hidden = false;
    say(active ? "active" : "ready", active ? "live" : "none");
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      subscribe(worker).catch(failed);
    });
  }

  async function subscribe(worker) {
    say("asking", "none");
    if (await Notification.requestPermission() !== "granted") return say("denied", "lost");
    const key = bytes(box.dataset.key);
    let s = await worker.pushManager.getSubscription();
    if (s && !same(s.options.applicationServerKey, key.buffer)) { // made under a former key: it would be refused
      await s.unsubscribe();
      s = null;
    }
    s = s || await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    form.elements.endpoint.value = s.endpoint;
    form.elements.p256dh.value = base64url(s.getKey("p256dh"));
    form.elements.auth.value = base64url(s.getKey("auth"));
    form.submit();
  }

  function failed(e) {
    console.info("no push subscription:", e);
    say("failed", "lost");
  }

  start().catch(failed);
})();
