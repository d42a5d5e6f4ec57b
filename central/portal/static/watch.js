// Keeps the watch page up to date: every attempt of the panel comes as its own
// HTML from our server, and takes the place of the one with the same id.
"use strict";

(() => {
  const list = document.getElementById("tries");
  const nodes = document.getElementById("nodes");
  const lost = document.getElementById("lost");
  const pulse = document.getElementById("pulse");
  const pulseText = document.getElementById("pulse-text");
  const spoken = document.getElementById("spoken");
  const empty = document.getElementById("empty");
  const most = 100; // attempts kept on the page

  const parse = (html) => new DOMParser().parseFromString(html, "text/html").body.firstElementChild;

  function state(name) {
    if (pulse.dataset.state === name) return;
    pulse.dataset.state = name;
    pulseText.textContent = pulse.dataset[name];
  }

  function show(change) {
    const item = parse(change.html);
    if (!item) return;
    const old = document.getElementById(item.id);
    if (old) {
      if (old.outerHTML === item.outerHTML) return;
      item.querySelector("details").open = old.querySelector("details").open;
      old.replaceWith(item);
      return;
    }
    const after = Array.from(list.children).find((e) => Number(e.dataset.sent) <= change.sent);
    item.classList.add("fresh");
    list.insertBefore(item, after || null);
    while (list.children.length > most) list.lastElementChild.remove();
    empty.hidden = true;
    if (change.spoken) spoken.textContent = change.spoken;
  }

  let source;
  let retry;
  function open() {
    clearTimeout(retry);
    state("wait");
    source = new EventSource(list.dataset.stream);
    source.onopen = () => state("live");
    source.addEventListener("attempt", (e) => show(JSON.parse(e.data)));
    source.addEventListener("nodes", (e) => nodes.replaceChildren(parse(JSON.parse(e.data).html)));
    source.addEventListener("lost", (e) => {
      lost.hidden = false;
      lost.querySelector("span").textContent = JSON.parse(e.data).text;
    });
    source.onerror = () => {
      state("lost");
      if (source.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
      retry = setTimeout(ask, 3000);
    };
  }

  // ask finds out why the stream was refused: logged out means the login page.
  async function ask() {
    try {
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 404) {
        location.reload();
        return;
      }
    } catch {
      // not reachable: tried again
    }
    open();
  }

  open();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (e) => { if (e.persisted) open(); });
})();
