// Keeps the keyboard's place where a person is at work.

const KEPT = "focus";
const FOCUSABLE = "a[href], button, summary, input:not([type=hidden]), select, textarea";

/** Puts the focus on a field that is wrong, where there is one, and unfolds what hides it. */
export function focusOn(field) {
  for (let fold = field?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  field?.focus();
}

/** Notes where the focus is to be when this page is there again. */
export function focusAfterReload(element) {
  if (element) sessionStorage.setItem(KEPT, element.id);
}

/** Puts the focus where it was noted to be. */
export function focusAgain() {
  const id = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  if (id) document.getElementById(id)?.focus();
}

/** Changes a region of the page; if what has the focus goes with that, the line beside it gets it, else the region. */
export function keepingFocus(region, change) {
  const focused = region.contains(document.activeElement) ? document.activeElement : null;
  const line = focused?.closest("li[data-key], tr[data-key]");
  const beside = [line?.nextElementSibling, line?.previousElementSibling];
  change();
  if (!focused || focused.isConnected) return;
  const next = beside.find((one) => one?.isConnected)?.querySelector(FOCUSABLE);
  region.tabIndex = -1;
  (next ?? region).focus({ preventScroll: true });
}
