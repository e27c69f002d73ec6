// Line charts over time, redrawn at most once a second, in Bootstrap's colors for light and dark mode.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const figure = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
/** A multiple of the usual distance between points; points that are further apart are not connected. */
const GAP = 2.5;
const SECOND = 1000;
const PIXELS_PER_POINT = 2;
/** In pixels. */
const SINGLE_POINT_RADIUS = 2;

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--bs-${name}`).trim();

/** Returns at most one point per step: the highest of those that fall into it. */
function thin(points, step) {
  if (step <= SECOND) return points;
  const kept = new Map();
  for (const point of points) {
    const slot = Math.floor(point.x / step);
    const highest = kept.get(slot);
    if (!highest || (point.y ?? -1) > (highest.y ?? -1)) kept.set(slot, point);
  }
  return [...kept.values()];
}

/** Returns the radius of a point: only a point without neighbors, which no line shows, is drawn. */
function radius({ dataset, dataIndex: at }) {
  const near = (other) => other && other.y !== null && Math.abs(other.x - dataset.data[at].x) <= dataset.spanGaps;
  return near(dataset.data[at - 1]) || near(dataset.data[at + 1]) ? 0 : SINGLE_POINT_RADIUS;
}

/** A chart of a few lines: each has a `name`, one of Bootstrap's colors, and `of`, which reads its value from a point.
 * `missing` is the text for a line without a value, unless the line has its own. */
export class LineChart {
  constructor(box, { title, unit, lines, missing = "unknown", stepped = false, most = 1 }) {
    this.lines = lines;
    this.title = title;
    this.unit = unit;
    this.missing = missing;
    this.values = box.querySelector(".chart-values");
    this.canvas = box.querySelector("canvas");
    box.querySelector("h3").textContent = title;
    this.chart = new Chart(this.canvas, {
      type: "line",
      data: {
        datasets: lines.map((line) => ({
          label: line.name, data: [], borderWidth: 1.5, borderDash: line.dashed ? [4, 3] : [], pointRadius: radius, stepped,
        })),
      },
      options: {
        animation: false,
        parsing: false,
        normalized: true,
        maintainAspectRatio: false,
        events: [],
        scales: {
          x: { type: "linear", ticks: { maxTicksLimit: 4, maxRotation: 0, callback: (at) => clock.format(at) } },
          y: { beginAtZero: true, suggestedMax: most, ticks: { maxTicksLimit: 5, precision: unit ? undefined : 0, callback: (value) => figure.format(value) } },
        },
        plugins: { legend: { labels: { boxWidth: 18, boxHeight: 1 } } },
      },
    });
    this.paint();
    this.describe(undefined);
  }

  /** Applies the current color scheme. */
  paint() {
    this.chart.data.datasets.forEach((set, number) => {
      set.borderColor = set.backgroundColor = color(this.lines[number].color);
    });
    const { x, y } = this.chart.options.scales;
    x.ticks.color = y.ticks.color = this.chart.options.plugins.legend.labels.color = color("body-color");
    x.grid = y.grid = { color: color("border-color") };
    this.chart.update("none");
  }

  /** Draws the points between two times, and describes the last values as text. */
  show(points, from, to) {
    const most = Math.max(this.canvas.clientWidth / PIXELS_PER_POINT, 50);
    const step = Math.ceil((to - from) / SECOND / most) * SECOND;
    const { x } = this.chart.options.scales;
    [x.min, x.max] = [from, to];
    this.chart.data.datasets.forEach((set, number) => {
      set.data = thin(points.map((point) => ({ x: point.at, y: this.lines[number].of(point) ?? null })), step);
      set.spanGaps = GAP * step;
    });
    this.chart.update("none");
    this.describe(points.at(-1));
  }

  describe(point) {
    const value = (line) => (point && line.of(point)) ?? null;
    const text = (line) => (value(line) === null ? (line.missing ?? this.missing) : `${figure.format(value(line))}${this.unit}`);
    const description = point ? this.lines.map((line) => `${line.name} ${text(line)}`).join(", ") : "No data yet";
    if (this.values.textContent !== description) {
      this.values.textContent = description;
      this.canvas.setAttribute("aria-label", `${this.title}, line chart. Now: ${description}.`);
    }
  }
}
