// Shows only the rows that contain every word of the filter. A style rule hides the others, so that it also applies to
// rows that an update of the page adds.
const field = document.querySelector("[data-filter]");
const result = document.getElementById(field.getAttribute("aria-describedby"));
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

function apply() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  sheet.replaceSync(words.map((word) => `[data-text]:not([data-text*="${CSS.escape(word)}"]) { display: none !important; }`).join("\n"));
  const rows = [...document.querySelectorAll("[data-text]")];
  const shown = rows.filter((row) => words.every((word) => row.dataset.text.includes(word)));
  result.textContent = words.length ? `${shown.length} of ${rows.length} shown` : "";
}

field.addEventListener("input", apply);
apply();
