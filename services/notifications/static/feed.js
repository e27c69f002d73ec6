// The feed page: the newest events, live updates, older events on demand, and dead letters.
// All received data is inserted as text, never as markup.

const PAGE_SIZE = 100;
const MAX_ROWS = 1000;
const REOPEN_AFTER = 3000;
const DEAD_LETTERS_INTERVAL = 15000;

/** The color of an event's type, as Bootstrap names it; the first match counts. */
const COLORS = [
  [/failed|unavailable|cancelled|timedOut|rejected|declined|expired/i, "danger"],
  [/customerActionRequired|approvalRequired/, "warning"],
  [/^order/, "primary"],
  [/^payment/, "success"],
  [/^shipment/, "info"],
  [/./, "secondary"],
];

const byId = (id) => document.getElementById(id);
const orderId = new URLSearchParams(location.search).get("orderId")?.trim() ?? "";

function address(path, parameters) {
  const query = new URLSearchParams(parameters);
  if (orderId) query.set("orderId", orderId);
  return `${path}?${query}`.replace(/\?$/, "");
}

/** Fetches a list; returns its items and the URL of the next page, or throws an error with a readable message. */
async function fetchList(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail ?? `the server answered ${answer.status}`);
    throw Object.assign(error, { status: answer.status });
  }
  const link = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("Link") ?? "");
  const next = link && new URL(link[1], location.href);
  return { items: await answer.json(), next: next ? next.pathname + next.search : null };
}

// --- Formatting ---

const today = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const otherDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

function showTime(element, text) {
  const when = new Date(text);
  element.dateTime = text;
  if (Number.isNaN(when.getTime())) {
    element.textContent = text;
    return;
  }
  const sameDay = when.toDateString() === new Date().toDateString();
  element.textContent = (sameDay ? today : otherDay).format(when);
  element.title = full.format(when);
}

/** "order.customerActionRequired" becomes "Order: customer action required". */
function typeLabel(type) {
  const [family, ...rest] = type.split(".");
  const words = rest.join(" ").replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return words ? `${family.charAt(0).toUpperCase()}${family.slice(1)}: ${words}` : type;
}

function eventRow(event) {
  const row = byId("event-row").content.firstElementChild.cloneNode(true);
  const part = (name) => row.querySelector(name);
  row.dataset.id = event.id;
  showTime(part("time"), event.time);
  part(".type").textContent = typeLabel(event.type);
  part(".type").title = event.type;
  part(".type").classList.add(`text-bg-${COLORS.find(([types]) => types.test(event.type))[1]}`);
  part(".message").textContent = event.message;
  part(".order").textContent = event.fulfillmentId ?? event.orderId;
  part(".order").href = `?${new URLSearchParams({ orderId: event.orderId })}`;
  part(".order").setAttribute("aria-label", `Order ${event.fulfillmentId ?? event.orderId}`);
  part(".actor").textContent = event.actor === "system" ? "" : `by ${event.actor}`;
  return row;
}

function letterRow(letter) {
  const row = byId("dead-row").content.firstElementChild.cloneNode(true);
  showTime(row.querySelector("time"), letter.seenAt);
  row.querySelector(".type").textContent = letter.type ?? "unknown type";
  row.querySelector(".id").textContent = letter.id ?? "without id";
  row.querySelector("pre").textContent = letter.excerpt;
  return row;
}

// --- Events ---

const list = byId("events");
const older = byId("older");
const note = byId("events-note");
const shown = new Map();
let nextEvents = null;

function showNote(text) {
  note.textContent = text;
  note.hidden = !text;
}

function clear() {
  list.replaceChildren();
  shown.clear();
}

/** Inserts a live event above all others, once. */
function addNewest(event) {
  if (shown.has(event.id)) return;
  const row = eventRow(event);
  row.classList.add("fresh");
  shown.set(event.id, row);
  list.prepend(row);
  showNote("");
  while (list.children.length > MAX_ROWS) {
    const last = list.lastElementChild;
    // Dropped rows can be fetched again, starting from the newest event.
    nextEvents = address("/events", { limit: MAX_ROWS });
    shown.delete(last.dataset.id);
    last.remove();
  }
  older.hidden = !nextEvents;
}

/** Inserts fetched events, newest first, in order among the shown ones; returns how many are new. */
function addFetched(events) {
  let before = events.map((event) => shown.get(event.id)).find(Boolean) ?? null;
  let added = 0;
  for (const event of events) {
    const known = shown.get(event.id);
    if (known) {
      before = known.nextElementSibling;
      continue;
    }
    const row = eventRow(event);
    shown.set(event.id, row);
    list.insertBefore(row, before);
    added += 1;
  }
  return added;
}

/**
 * Fetches the newest events; without a stream, a list that has no event in common with them is replaced.
 * Returns whether to retry: not when the order id is invalid.
 */
async function loadNewest(streaming) {
  try {
    const { items, next } = await fetchList(address("/events", { limit: PAGE_SIZE }));
    if (!streaming && !items.some((event) => shown.has(event.id))) clear();
    addFetched(items);
    nextEvents = next;
    older.hidden = !next;
    showNote(shown.size ? "" : orderId ? "No events of this order yet." : "No events yet.");
  } catch (error) {
    showNote(`Events could not be fetched: ${error.message}.`);
    return error.status !== 422;
  }
  return true;
}

async function loadOlder() {
  older.disabled = true;
  const last = list.lastElementChild;
  try {
    let added = 0;
    while (nextEvents && added === 0) {
      const { items, next } = await fetchList(nextEvents);
      added = addFetched(items);
      nextEvents = next;
    }
    showNote("");
    // Moves the keyboard focus to the first new row.
    last?.nextElementSibling?.querySelector("a")?.focus();
  } catch (error) {
    showNote(`Older events could not be fetched: ${error.message}.`);
  } finally {
    older.disabled = false;
    older.hidden = !nextEvents;
  }
}

// --- The live stream ---

const live = byId("live");
let lastEventId = null;

function showState(color, text) {
  if (live.textContent === text) return;
  live.className = `badge text-bg-${color}`;
  live.textContent = text;
}

/** Opens the stream. The browser reconnects and resumes by itself; a refused stream is opened again. */
function follow() {
  const resumes = lastEventId !== null;
  let first = true;
  const source = new EventSource(address("/events/stream", resumes ? { lastEventId } : {}));
  source.addEventListener("open", () => {
    showState("success", "Live");
    if (first && !resumes) {
      // The list is fetched after the stream is open, so that no event is missed in between.
      clear();
      loadNewest(true);
    }
    first = false;
  });
  source.addEventListener("order-event", (message) => {
    lastEventId = message.lastEventId;
    addNewest(JSON.parse(message.data));
  });
  source.addEventListener("error", async () => {
    showState("warning", "Reconnecting…");
    if (source.readyState !== EventSource.CLOSED) return;
    const retry = resumes || !first || (await loadNewest(false));
    if (retry) setTimeout(follow, REOPEN_AFTER);
    else showState("secondary", "Not live");
  });
}

// --- Dead letters ---

const letters = byId("dead-letters");
const olderLetters = byId("older-dead");
let nextLetters = null;
let newestLetters = "";

async function refreshLetters() {
  if (document.hidden) return;
  const { items, next } = await fetchList("/events/dead?limit=20");
  const text = JSON.stringify(items);
  if (text === newestLetters) return;
  newestLetters = text;
  letters.replaceChildren(...items.map(letterRow));
  nextLetters = next;
  olderLetters.hidden = !next;
  const count = byId("dead-count");
  count.textContent = next ? `${items.length}+` : String(items.length);
  count.hidden = items.length === 0;
  byId("dead-note").textContent = items.length
    ? "Messages that could not be processed are kept here."
    : "None. All messages have been processed.";
}

async function loadOlderLetters() {
  const { items, next } = await fetchList(nextLetters);
  letters.append(...items.map(letterRow));
  nextLetters = next;
  olderLetters.hidden = !next;
}

/** Logs a failure to fetch dead letters without showing it; the next interval retries. */
const logErrors = (task) => () => task().catch((error) => console.warn(error));

older.addEventListener("click", loadOlder);
olderLetters.addEventListener("click", logErrors(loadOlderLetters));
setInterval(logErrors(refreshLetters), DEAD_LETTERS_INTERVAL);
document.addEventListener("visibilitychange", logErrors(refreshLetters));
logErrors(refreshLetters)();
follow();
