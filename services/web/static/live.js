// Follows what happens, and fetches the live part of the page again when something did that it shows.
import { keepingFocus } from "./focus.js";
import { localize } from "./format.js";
import { morphChildren } from "./morph.js";
import { recovered } from "./notice.js";

const region = document.getElementById("live");
const state = document.getElementById("live-state");
const subject = region.dataset.follow;
/** At most so often, in milliseconds: a list changes all the time, one order only now and then. */
const PAUSE = subject && subject !== "all" ? 250 : 1000;
const REOPEN_AFTER = 3000;
const TRY_AGAIN_AFTER = 3000;
/** A stream ends now and then and is open again at once: only a longer break is worth a word. */
const GRACE = 3000;
/** In milliseconds: what takes so long is worth a word. */
const LONG = 5000;
/** The server says something every 15 seconds at least. */
const SILENCE = 40_000;

let source = null;
let lastId = "";
let connected = false;
let cut = false;
let heard = true;
let stale = "";
let lost = null;
let silent = null;
let timer = null;
let retry = null;
let fetching = false;
let again = false;

function stateNow() {
  if (cut) return ["off", navigator.onLine ? "Disconnected, trying again" : "You are offline, trying again"];
  if (!heard) return ["off", "The feed does not answer"];
  return stale ? ["stale", `Not up to date: ${stale}`] : ["live", "Live"];
}

function showState() {
  // In a short break what was said before it still holds.
  if (!connected && !cut) return;
  const [name, words] = stateNow();
  if (state.dataset.state !== name || state.textContent !== words) Object.assign(state, { textContent: words }).dataset.state = name;
}

async function fetchPart() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const address = new URL(location.href);
    address.searchParams.set("part", "1");
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.ok) show(await answer.text());
    else if (answer.status >= 500) tryAgain();
    if (answer.ok && stale) recovered();
    stale = answer.ok ? "" : `${answer.status}`;
  } catch {
    stale = "no answer";
    tryAgain();
  } finally {
    fetching = false;
    showState();
    if (again) {
      again = false;
      refresh();
    }
  }
}

function show(html) {
  const next = document.createElement("template");
  next.innerHTML = html;
  localize(next.content);
  keepingFocus(region, () => morphChildren(region, next.content));
  count();
  if (region.querySelector("[data-incomplete]")) tryAgain();
}

/** Fetches the part again after a while: no event tells that what was missing is there again. */
function tryAgain() {
  retry ??= setTimeout(() => {
    retry = null;
    if (!document.hidden) refresh();
  }, TRY_AGAIN_AFTER);
}

/** Fetches the live part of the page again, soon. */
export function refresh() {
  timer ??= setTimeout(() => {
    timer = null;
    fetchPart();
  }, PAUSE);
}

function span(seconds) {
  const [unit, name] = [[3600, "hours"], [60, "minutes"], [1, "second"]].find(([size]) => seconds >= 2 * size || size === 1);
  return `${Math.floor(seconds / unit)} ${name}${seconds === 1 || unit > 1 ? "" : "s"}`;
}

/** Writes how much time is left wherever a deadline is shown, and says of what takes long that it does. */
function count() {
  for (const one of region.querySelectorAll("[data-since]")) one.hidden = Date.now() - new Date(one.dataset.since) < LONG;
  for (const one of region.querySelectorAll("[data-until]")) {
    const left = Math.ceil((new Date(one.dataset.until) - Date.now()) / 1000);
    const words = left > 0 ? `${span(left)} left` : "Time is up";
    if (one.textContent !== words) one.textContent = words;
  }
}

function open() {
  if (source || document.hidden) return;
  const query = new URLSearchParams(subject === "all" ? {} : { order: subject });
  if (region.dataset.figures !== undefined) query.set("figures", "1");
  if (lastId) query.set("after", lastId);
  source = new EventSource(`/live?${query}`);
  listen();
  const note = (listener) => (message) => {
    listen();
    lastId = message.lastEventId || lastId;
    listener(message);
  };
  source.addEventListener("feed", note((message) => {
    const before = connected && heard;
    connect();
    heard = JSON.parse(message.data).connected;
    showState();
    if (!before && heard) refresh();
  }));
  source.addEventListener("order-event", note(refresh));
  source.addEventListener("resync", note(refresh));
  source.addEventListener("figures", note((message) => {
    document.dispatchEvent(new CustomEvent("figures", { detail: JSON.parse(message.data) }));
  }));
  source.addEventListener("error", () => {
    connected = false;
    lost ??= setTimeout(cutOff, GRACE);
    if (source?.readyState === EventSource.CLOSED) {
      close();
      setTimeout(open, REOPEN_AFTER);
    }
  });
}

function close() {
  clearTimeout(silent);
  source?.close();
  source = null;
}

function connect() {
  if (cut) recovered();
  clearTimeout(lost);
  lost = null;
  connected = true;
  cut = false;
}

function cutOff() {
  connected = false;
  cut = true;
  showState();
}

/** Waits for the next thing that the server says: a connection can die without an error, as when a laptop sleeps. */
function listen() {
  clearTimeout(silent);
  silent = setTimeout(openAnew, SILENCE);
}

function openAnew() {
  close();
  cutOff();
  open();
}

/** Begins to follow, as long as somebody looks: a browser has only few connections for all its pages. */
export function follow() {
  if (subject === undefined) return;
  if (region.querySelector("[data-incomplete]")) tryAgain();
  setInterval(count, 1000);
  count();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else {
      open();
      refresh();
    }
  });
  // A browser that goes offline keeps its connections for a while, as if they were only quiet.
  for (const change of ["offline", "online"]) addEventListener(change, openAnew);
  open();
}
