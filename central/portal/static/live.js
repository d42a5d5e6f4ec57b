// Keeps the live page up to date: every change of an event comes as the
// event's own HTML from our server, and takes the place of the old one.
"use strict";

(() => {
  const list = document.getElementById("events");
  const pulse = document.getElementById("pulse");
  const pulseText = document.getElementById("pulse-text");
  const spoken = document.getElementById("spoken");
  const empty = document.getElementById("empty");
  const most = 200; // events kept on the page
  const title = document.title;
  let unseen = 0;

  const parse = (html) => new DOMParser().parseFromString(html, "text/html").body.firstElementChild;

  function state(name) {
    if (pulse.dataset.state === name) return;
    pulse.dataset.state = name;
    pulseText.textContent = pulse.dataset[name];
  }

  // place puts a new event where its time belongs, under the day it is of.
  function place(item, change) {
    const events = Array.from(list.querySelectorAll(".event"));
    const after = events.find((e) => Number(e.dataset.received) <= change.received);
    let day = list.querySelector(`.day[data-day="${CSS.escape(change.day)}"]`);
    if (!day) {
      day = document.createElement("li");
      day.className = "day";
      day.dataset.day = change.day;
      const h2 = document.createElement("h2");
      h2.textContent = change.day_name;
      day.append(h2);
      const later = Array.from(list.querySelectorAll(".day")).find((d) => d.dataset.day < change.day);
      list.insertBefore(day, later || null);
    }
    if (after && after.dataset.day === change.day) {
      list.insertBefore(item, after);
      return;
    }
    let end = day.nextElementSibling; // the oldest of its day
    while (end && !end.classList.contains("day")) end = end.nextElementSibling;
    list.insertBefore(item, end);
  }

  function trim() {
    const events = list.querySelectorAll(".event");
    for (let i = most; i < events.length; i++) events[i].remove();
    const last = list.lastElementChild;
    if (last && last.classList.contains("day")) last.remove();
  }

  function show(change) {
    const item = parse(change.html);
    if (!item) return;
    const old = document.getElementById(item.id);
    if (old) {
      if (old.outerHTML === item.outerHTML) return;
      if (old.contains(document.activeElement)) return;
      item.classList.add("changed");
      old.replaceWith(item);
      return;
    }
    item.classList.add("fresh");
    place(item, change);
    trim();
    empty.hidden = true;
    spoken.textContent = change.spoken;
    if (document.hidden) {
      unseen++;
      document.title = `(${unseen}) ${title}`;
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseen = 0;
    document.title = title;
  });

  let source;
  let last = ""; // id of the last change read
  let retry;
  function open() {
    clearTimeout(retry);
    state("wait");
    const url = new URL(list.dataset.stream, location.href);
    if (last) url.searchParams.set("after", last);
    source = new EventSource(url);
    source.onopen = () => state("live");
    source.addEventListener("event", (e) => {
      state("live");
      if (e.lastEventId) last = e.lastEventId;
      show(JSON.parse(e.data));
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
      const answer = await fetch("/", { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect") {
        location.assign("/login");
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
