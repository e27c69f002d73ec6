// Shows only those lines of a list that hold every word that a person types. It is a rule of style, so that it stays
// in force when the list is brought up to date.
const field = document.querySelector("[data-filter]");
const told = document.getElementById(field.getAttribute("aria-describedby"));
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

function apply() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  sheet.replaceSync(words.map((word) => `[data-text]:not([data-text*="${CSS.escape(word)}"]) { display: none !important; }`).join("\n"));
  const lines = [...document.querySelectorAll("[data-text]")];
  const shown = lines.filter((line) => words.every((word) => line.dataset.text.includes(word)));
  told.textContent = words.length ? `${shown.length} of ${lines.length} shown` : "";
}

field.addEventListener("input", apply);
apply();
