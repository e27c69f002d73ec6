// Keeps the keyboard focus while pages change.

const STORAGE_KEY = "focus";
const FOCUSABLE = "a[href], button, summary, input:not([type=hidden]), select, textarea";

/** Focuses a field, if any, and opens the details that hide it. */
export function focusOn(field) {
  for (let details = field?.closest("details"); details; details = details.parentElement.closest("details")) details.open = true;
  field?.focus();
}

/** Saves the element to focus after a reload of this page. */
export function focusAfterReload(element) {
  if (element) sessionStorage.setItem(STORAGE_KEY, element.id);
}

/** Focuses the element that was saved before the reload. */
export function restoreFocus() {
  const id = sessionStorage.getItem(STORAGE_KEY);
  sessionStorage.removeItem(STORAGE_KEY);
  if (id) document.getElementById(id)?.focus();
}

/** Changes a region of the page. If the focused element is removed, the row next to it is focused, otherwise the region. */
export function keepingFocus(region, change) {
  const focused = region.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("li[data-key], tr[data-key]");
  const neighbors = [row?.nextElementSibling, row?.previousElementSibling];
  change();
  if (!focused || focused.isConnected) return;
  const next = neighbors.find((neighbor) => neighbor?.isConnected)?.querySelector(FOCUSABLE);
  region.tabIndex = -1;
  (next ?? region).focus({ preventScroll: true });
}
