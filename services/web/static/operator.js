// The operator's charts: the history at first, then a point each second.
import { LineChart } from "./charts.js";
import { refresh } from "./live.js";

const CHARTS = [
  {
    title: "Orders per second", unit: "/s",
    lines: [
      { name: "received", color: "primary", of: (point) => point.received },
      { name: "completed", color: "success", of: (point) => point.completed },
      { name: "sent by the stream", color: "secondary", dashed: true, missing: "no stream", of: (point) => point.sent },
    ],
  },
  {
    title: "Backlog", unit: "",
    lines: [
      { name: "orders", color: "primary", of: (point) => point.backlog?.orders },
      { name: "charges", color: "warning", of: (point) => point.backlog?.charge },
      { name: "shipments", color: "info", of: (point) => point.backlog?.shipments },
    ],
  },
  { title: "Workers", unit: "", missing: "unknown, because the API of orderprocessing is not responding", stepped: true, most: 2, lines: [{ name: "connected", color: "success", of: (point) => point.workers }] },
  {
    title: "Time until processing", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "median", color: "primary", of: (point) => point.latency.processing?.[0] },
      { name: "95th percentile", color: "danger", of: (point) => point.latency.processing?.[1] },
    ],
  },
  {
    title: "Time until completed", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "median", color: "primary", of: (point) => point.latency.completed?.[0] },
      { name: "95th percentile", color: "danger", of: (point) => point.latency.completed?.[1] },
    ],
  },
  {
    title: "Median time until other statuses", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "customer asked", color: "warning", of: (point) => point.latency.customerActionRequired?.[0] },
      { name: "approval asked", color: "info", of: (point) => point.latency.approvalRequired?.[0] },
      { name: "cancelled", color: "secondary", of: (point) => point.latency.cancelled?.[0] },
      { name: "timed out", color: "purple", of: (point) => point.latency.timedOut?.[0] },
      { name: "failed", color: "danger", of: (point) => point.latency.failed?.[0] },
    ],
  },
  {
    title: "Other results per second", unit: "/s",
    lines: [
      { name: "failed", color: "danger", of: (point) => point.failed },
      { name: "cancelled", color: "secondary", of: (point) => point.cancelled },
      { name: "timed out", color: "warning", of: (point) => point.timedOut },
      { name: "refused requests", color: "info", dashed: true, missing: "no stream", of: (point) => point.refused },
    ],
  },
  {
    title: "Response time for new orders of the stream", unit: " s", missing: "none in the last 10 seconds",
    lines: [
      { name: "median", color: "primary", of: (point) => point.posts?.[0] },
      { name: "95th percentile", color: "danger", of: (point) => point.posts?.[1] },
    ],
  },
];
const MAX_POINTS = 600;
/** In milliseconds; a longer gap between points means that some were missed. */
const MAX_GAP = 3500;

const board = document.getElementById("charts");
const span = document.getElementById("span");
const recovery = document.getElementById("recovery");
let points = [];
let loading = false;
let state = "";
let frame = null;
let stoppedAt = null;
let hadWorkers = false;
let workers = null;

const charts = CHARTS.map((settings) => {
  const figure = document.getElementById("chart").content.cloneNode(true).firstElementChild;
  board.append(figure);
  return new LineChart(figure, settings);
});

/** Draws with the next frame, once for all points that arrive together, as after an interruption. */
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
    // The page shows that it is disconnected; the next point triggers another attempt.
  }
  loading = false;
  draw();
}

/** Reports when the last worker disconnects, and after how long one is back. An unknown number changes nothing. */
function watchWorkers(point) {
  if (typeof point.workers !== "number") return;
  if (stoppedAt === null && point.workers === 0 && hadWorkers) {
    stoppedAt = point.at;
    recovery.textContent = "No worker is connected. Orders are kept and continue when a worker is back.";
  } else if (stoppedAt !== null && point.workers > 0) {
    const seconds = Math.max(Math.round((point.at - stoppedAt) / 1000), 1);
    recovery.textContent = `A worker is back after about ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
    stoppedAt = null;
  }
  hadWorkers = point.workers > 0;
}

document.addEventListener("figures", ({ detail: point }) => {
  const last = points.at(-1)?.at ?? 0;
  if (point.at <= last) return;
  watchWorkers(point);
  points = [...points, point].slice(-MAX_POINTS);
  if (last && point.at - last > MAX_GAP) load();
  else draw();
  // The server renders the run and the workers. An unknown list of workers changes nothing.
  workers = point.workerStates ?? workers;
  const now = JSON.stringify([point.run, workers]);
  if (now !== state) refresh();
  state = now;
});
document.addEventListener("visibilitychange", draw);
span.addEventListener("change", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => charts.forEach((chart) => chart.paint())));
load();
