// The operator's charts: the last minutes at once, then a point each second.
import { LineChart } from "./charts.js";
import { refresh } from "./live.js";

const CHARTS = [
  {
    title: "Orders per second", unit: "/s",
    lines: [
      { name: "received", colour: "primary", of: (point) => point.received },
      { name: "completed", colour: "success", of: (point) => point.completed },
      { name: "sent by the stream", colour: "secondary", dashed: true, missing: "no stream", of: (point) => point.sent },
    ],
  },
  {
    title: "Backlog", unit: "",
    lines: [
      { name: "orders", colour: "primary", of: (point) => point.backlog?.orders },
      { name: "charges", colour: "warning", of: (point) => point.backlog?.charge },
      { name: "shipments", colour: "info", of: (point) => point.backlog?.shipments },
    ],
  },
  { title: "Workers", unit: "", missing: "not known, because orderprocessing does not answer", stepped: true, most: 2, lines: [{ name: "connected", colour: "success", of: (point) => point.workers }] },
  {
    title: "Time from received to processing", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "half below", colour: "primary", of: (point) => point.latency.processing?.[0] },
      { name: "95 % below", colour: "danger", of: (point) => point.latency.processing?.[1] },
    ],
  },
  {
    title: "Time from received to completed", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "half below", colour: "primary", of: (point) => point.latency.completed?.[0] },
      { name: "95 % below", colour: "danger", of: (point) => point.latency.completed?.[1] },
    ],
  },
  {
    title: "Time from received to the rest, half below", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "customer asked", colour: "warning", of: (point) => point.latency.customerActionRequired?.[0] },
      { name: "approval asked", colour: "info", of: (point) => point.latency.approvalRequired?.[0] },
      { name: "cancelled", colour: "secondary", of: (point) => point.latency.cancelled?.[0] },
      { name: "timed out", colour: "purple", of: (point) => point.latency.timedOut?.[0] },
      { name: "failed", colour: "danger", of: (point) => point.latency.failed?.[0] },
    ],
  },
  {
    title: "Other endings per second", unit: "/s",
    lines: [
      { name: "failed", colour: "danger", of: (point) => point.failed },
      { name: "cancelled", colour: "secondary", of: (point) => point.cancelled },
      { name: "timed out", colour: "warning", of: (point) => point.timedOut },
      { name: "refused posts", colour: "info", dashed: true, missing: "no stream", of: (point) => point.refused },
    ],
  },
  {
    title: "Answer to a new order of the stream", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "half below", colour: "primary", of: (point) => point.posts?.[0] },
      { name: "95 % below", colour: "danger", of: (point) => point.posts?.[1] },
    ],
  },
];
const MOST = 600;
/** In milliseconds: a point later than this tells that others were missed. */
const MISSED = 3500;

const board = document.getElementById("charts");
const span = document.getElementById("span");
const recovery = document.getElementById("recovery");
let points = [];
let loading = false;
let run = "";
let frame = null;
let gone = null;
let worked = false;

const charts = CHARTS.map((wanted) => {
  const figure = document.getElementById("chart").content.cloneNode(true).firstElementChild;
  board.append(figure);
  return new LineChart(figure, wanted);
});

/** Draws soon, once for all points that come together, as they do when the page was away for a while. */
function draw() {
  frame ??= requestAnimationFrame(drawNow);
}

function drawNow() {
  frame = null;
  const to = points.at(-1)?.at ?? Date.now();
  const from = to - span.value * 1000;
  const visible = points.filter((point) => point.at >= from);
  for (const chart of charts) chart.show(visible, from, to);
}

async function load() {
  if (loading) return;
  loading = true;
  try {
    const answer = await fetch(board.dataset.history);
    if (answer.ok) points = await answer.json();
  } catch {
    // The page says by itself that it is disconnected; the next point brings another try.
  }
  loading = false;
  draw();
}

/** Says when the last worker goes, and after how long one is back; what is not known is no news. */
function watchWorkers(point) {
  if (typeof point.workers !== "number") return;
  if (gone === null && point.workers === 0 && worked) {
    gone = point.at;
    recovery.textContent = "No worker is connected. The orders are kept, and go on when one is back.";
  } else if (gone !== null && point.workers > 0) {
    const seconds = Math.max(Math.round((point.at - gone) / 1000), 1);
    recovery.textContent = `A worker is back and goes on, after about ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
    gone = null;
  }
  worked = point.workers > 0;
}

document.addEventListener("figures", ({ detail: point }) => {
  const last = points.at(-1)?.at ?? 0;
  if (point.at <= last) return;
  watchWorkers(point);
  points = [...points, point].slice(-MOST);
  if (last && point.at - last > MISSED) load();
  else draw();
  const now = JSON.stringify(point.run);
  if (now !== run) refresh();
  run = now;
});
document.addEventListener("visibilitychange", draw);
span.addEventListener("change", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => charts.forEach((chart) => chart.paint())));
load();
