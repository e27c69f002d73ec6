// Follows the event stream, and fetches the live part of the page again when an event affects it.
import { keepingFocus } from "./focus.js";
import { localize } from "./format.js";
import { morphChildren } from "./morph.js";
import { clearConnectionErrors } from "./notice.js";

const region = document.getElementById("live");
const state = document.getElementById("live-state");
const subject = region.dataset.follow;
/** The shortest time between updates, in milliseconds: lists change more often than a single order. */
const UPDATE_INTERVAL = subject && subject !== "all" ? 250 : 1000;
const REOPEN_AFTER = 3000;
const RETRY_AFTER = 3000;
/** Streams end regularly and reopen at once; only a longer interruption is shown. In milliseconds. */
const DISCONNECTED_AFTER = 3000;
/** In milliseconds, until a step that is being retried is shown. */
const SHOW_RETRY_AFTER = 5000;
/** In milliseconds; the server sends a message at least every 15 seconds. */
const STREAM_TIMEOUT = 40_000;

let source = null;
let lastId = "";
let connected = false;
let isDisconnected = false;
let feedConnected = true;
let stale = "";
let disconnectTimer = null;
let streamTimer = null;
let updateTimer = null;
let retryTimer = null;
let fetching = false;
let again = false;

function currentState() {
  if (isDisconnected) return ["off", navigator.onLine ? "Disconnected, trying again" : "You are offline, trying again"];
  if (!feedConnected) return ["off", "The event feed is not responding"];
  return stale ? ["stale", `Not up to date: ${stale}`] : ["live", "Live"];
}

function showState() {
  // During a short interruption the last state stays.
  if (!connected && !isDisconnected) return;
  const [name, text] = currentState();
  if (state.dataset.state !== name || state.textContent !== text) Object.assign(state, { textContent: text }).dataset.state = name;
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
    else if (answer.status >= 500) retryLater();
    if (answer.ok && stale) clearConnectionErrors();
    stale = answer.ok ? "" : `${answer.status}`;
  } catch {
    stale = "no answer";
    retryLater();
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
  updateTimes();
  if (region.querySelector("[data-incomplete]")) retryLater();
}

/** Fetches the part again after a while, because no event announces that a service is available again. */
function retryLater() {
  retryTimer ??= setTimeout(() => {
    retryTimer = null;
    if (!document.hidden) refresh();
  }, RETRY_AFTER);
}

/** Fetches the live part of the page again, soon. */
export function refresh() {
  updateTimer ??= setTimeout(() => {
    updateTimer = null;
    fetchPart();
  }, UPDATE_INTERVAL);
}

function duration(seconds) {
  const [unit, name] = [[3600, "hours"], [60, "minutes"], [1, "second"]].find(([size]) => seconds >= 2 * size || size === 1);
  return `${Math.floor(seconds / unit)} ${name}${seconds === 1 || unit > 1 ? "" : "s"}`;
}

/** Updates the time left until each deadline, and shows the messages about steps that are being retried. */
function updateTimes() {
  for (const element of region.querySelectorAll("[data-since]")) element.hidden = Date.now() - new Date(element.dataset.since) < SHOW_RETRY_AFTER;
  for (const element of region.querySelectorAll("[data-until]")) {
    const seconds = Math.ceil((new Date(element.dataset.until) - Date.now()) / 1000);
    const text = seconds > 0 ? `${duration(seconds)} left` : "Time is up";
    if (element.textContent !== text) element.textContent = text;
  }
}

function open() {
  if (source || document.hidden) return;
  const query = new URLSearchParams(subject === "all" ? {} : { order: subject });
  if (region.dataset.figures !== undefined) query.set("figures", "1");
  if (lastId) query.set("after", lastId);
  source = new EventSource(`/live?${query}`);
  restartTimeout();
  const received = (listener) => (message) => {
    restartTimeout();
    lastId = message.lastEventId || lastId;
    listener(message);
  };
  source.addEventListener("feed", received((message) => {
    const before = connected && feedConnected;
    setConnected();
    feedConnected = JSON.parse(message.data).connected;
    showState();
    if (!before && feedConnected) refresh();
  }));
  source.addEventListener("order-event", received(refresh));
  source.addEventListener("resync", received(refresh));
  source.addEventListener("figures", received((message) => {
    document.dispatchEvent(new CustomEvent("figures", { detail: JSON.parse(message.data) }));
  }));
  source.addEventListener("error", () => {
    connected = false;
    disconnectTimer ??= setTimeout(setDisconnected, DISCONNECTED_AFTER);
    if (source?.readyState === EventSource.CLOSED) {
      close();
      setTimeout(open, REOPEN_AFTER);
    }
  });
}

function close() {
  clearTimeout(streamTimer);
  source?.close();
  source = null;
}

function setConnected() {
  if (isDisconnected) clearConnectionErrors();
  clearTimeout(disconnectTimer);
  disconnectTimer = null;
  connected = true;
  isDisconnected = false;
}

function setDisconnected() {
  connected = false;
  isDisconnected = true;
  showState();
}

/** Waits for the next message: a connection can be lost without an error, as when a laptop sleeps. */
function restartTimeout() {
  clearTimeout(streamTimer);
  streamTimer = setTimeout(reopen, STREAM_TIMEOUT);
}

function reopen() {
  close();
  setDisconnected();
  open();
}

/** Follows the stream while the page is visible; a browser has only a few connections for all its pages. */
export function follow() {
  if (subject === undefined) return;
  if (region.querySelector("[data-incomplete]")) retryLater();
  setInterval(updateTimes, 1000);
  updateTimes();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else {
      open();
      refresh();
    }
  });
  // A browser that goes offline keeps its connections for a while, without an error.
  for (const change of ["offline", "online"]) addEventListener(change, reopen);
  open();
}
