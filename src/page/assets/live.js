// Keeps the page as the daemon has it: server-sent events say that something was written, then the page is fetched
// again and what changed is put in its place. Without this script the page is as it was when it was asked for.
"use strict";

(() => {
  const root = new URL("..", document.currentScript.src);
  const live = document.getElementById("live");
  const parts = ["main", "footer"];
  let events = null;
  let fetching = false;
  let again = false;

  // Nobody loses what they are about to copy.
  const selecting = () => {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && document.querySelector("main").contains(selection.anchorNode);
  };

  const say = (words) => {
    if (live.textContent !== words) live.textContent = words;
  };

  const replace = (fresh) => {
    const focused = document.activeElement && document.activeElement.id;
    for (const part of parts) {
      const [old, young] = [document.querySelector(part), fresh.querySelector(part)];
      if (!young) return;
      if (old.innerHTML === young.innerHTML) {
        Object.assign(old.dataset, young.dataset);
      } else {
        const scrolled = [...old.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
        old.replaceWith(young);
        young.querySelectorAll(".scroll").forEach((box, place) => (box.scrollLeft = scrolled[place] || 0));
      }
    }
    document.title = fresh.title;
    const again = focused && document.getElementById(focused);
    if (again && again !== document.activeElement) again.focus({ preventScroll: true });
  };

  const refresh = async () => {
    if (fetching || selecting()) {
      again = true;
      return;
    }
    fetching = true;
    again = false;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      const isPage = (answer.headers.get("content-type") || "").startsWith("text/html");
      if (!isPage) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (selecting()) again = true;
      else replace(fresh);
      if (events && events.readyState === EventSource.OPEN) say("");
    } catch {
      say("not live");
    }
    fetching = false;
    if (again && !selecting()) refresh();
  };

  const listen = () => {
    events = new EventSource(new URL("api/events", root));
    events.addEventListener("change", (event) => {
      if (event.data !== document.querySelector("main").dataset.number) refresh();
      else say("");
    });
    // The browser tries again by itself, unless it was sent away.
    events.addEventListener("error", () => say("not live"));
  };

  // A page that nobody looks at needs no connection, of which a browser has few.
  const look = () => {
    if (document.hidden) {
      events.close();
    } else {
      listen();
      refresh();
    }
  };

  listen();
  document.addEventListener("visibilitychange", look);
  document.addEventListener("selectionchange", () => {
    if (again && !selecting()) refresh();
  });
  // How long ago something was changes by itself; and whoever was sent away asks so.
  setInterval(() => {
    if (document.hidden) return;
    if (events.readyState === EventSource.CLOSED) listen();
    refresh();
  }, 30000);
})();
