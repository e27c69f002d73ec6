// Line charts over time, drawn anew at most once a second; colours are Bootstrap's, so that they follow light and dark.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const figure = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
/** Of the usual distance between points; those that are further apart are not joined. */
const GAP = 2.5;
const SECOND = 1000;
const PIXELS_A_POINT = 2;
/** In pixels. */
const ALONE = 2;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--bs-${name}`).trim();

/** Returns one point for each step; of those that fall together, the highest is shown. */
function thin(points, step) {
  if (step <= SECOND) return points;
  const kept = new Map();
  for (const point of points) {
    const place = Math.floor(point.x / step);
    const known = kept.get(place);
    if (!known || (point.y ?? -1) > (known.y ?? -1)) kept.set(place, point);
  }
  return [...kept.values()];
}

/** Returns how large a point is: one without neighbours would not be seen as a line. */
function radius({ dataset, dataIndex: at }) {
  const near = (other) => other && other.y !== null && Math.abs(other.x - dataset.data[at].x) <= dataset.spanGaps;
  return near(dataset.data[at - 1]) || near(dataset.data[at + 1]) ? 0 : ALONE;
}

/** A chart of a few lines: each has a `name`, a `colour` of Bootstrap's, and `of`, which reads its value from a point.
 * `missing` is said of what has no value, where the line has no words of its own. */
export class LineChart {
  constructor(box, { title, unit, lines, missing = "not known", stepped = false, most = 1 }) {
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
    this.say(undefined);
  }

  /** Takes over the colours as they are now. */
  paint() {
    this.chart.data.datasets.forEach((set, number) => {
      set.borderColor = set.backgroundColor = colour(this.lines[number].colour);
    });
    const { x, y } = this.chart.options.scales;
    x.ticks.color = y.ticks.color = this.chart.options.plugins.legend.labels.color = colour("body-color");
    x.grid = y.grid = { color: colour("border-color") };
    this.chart.update("none");
  }

  /** Draws the points between two moments, and says the last values in words. */
  show(points, from, to) {
    const most = Math.max(this.canvas.clientWidth / PIXELS_A_POINT, 50);
    const step = Math.ceil((to - from) / SECOND / most) * SECOND;
    const { x } = this.chart.options.scales;
    [x.min, x.max] = [from, to];
    this.chart.data.datasets.forEach((set, number) => {
      set.data = thin(points.map((point) => ({ x: point.at, y: this.lines[number].of(point) ?? null })), step);
      set.spanGaps = GAP * step;
    });
    this.chart.update("none");
    this.say(points.at(-1));
  }

  say(point) {
    const value = (line) => (point && line.of(point)) ?? null;
    const said = (line) => (value(line) === null ? (line.missing ?? this.missing) : `${figure.format(value(line))}${this.unit}`);
    const words = point ? this.lines.map((line) => `${line.name} ${said(line)}`).join(", ") : "Nothing was measured yet";
    if (this.values.textContent !== words) {
      this.values.textContent = words;
      this.canvas.setAttribute("aria-label", `${this.title}, line chart. Now: ${words}.`);
    }
  }
}
