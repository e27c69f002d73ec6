// Updates a tree of elements to match another one, changing only the differences, so that focus, input, selections and
// opened details stay.

const key = (node) => (node.nodeType === Node.ELEMENT_NODE && (node.dataset.key || node.id)) || null;

const byKey = (nodes) => new Map([...nodes].filter(key).map((node) => [key(node), node]));

function matches(node, other) {
  return node.nodeType === other.nodeType && node.nodeName === other.nodeName && key(node) === key(other);
}

function morphAttributes(now, next) {
  for (const { name } of [...now.attributes]) {
    // The user opens and closes details, not the server.
    if (!next.hasAttribute(name) && !(name === "open" && now.nodeName === "DETAILS")) now.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
}

/** Removes the children whose key `next` does not have. Otherwise the elements below would be moved, and an element
 * that is moved loses its focus. */
function removeOthers(now, next) {
  const wanted = byKey(next.childNodes);
  const others = [...byKey(now.childNodes)].filter(([name, node]) => !wanted.has(name) || !matches(node, wanted.get(name)));
  for (const [, node] of others) node.remove();
  // Joins the white space before and after a removed element.
  if (others.length) now.normalize();
}

/** Updates the children of `now` to match those of `next`, which is consumed. */
export function morphChildren(now, next) {
  removeOthers(now, next);
  const keyed = byKey(now.childNodes);
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const known = key(wanted) ? keyed.get(key(wanted)) : at;
    if (known && matches(known, wanted)) {
      if (known === at) at = at.nextSibling;
      else now.insertBefore(known, at);
      morph(known, wanted);
    } else {
      now.insertBefore(wanted, at);
    }
  }
  while (at) {
    const removed = at;
    at = at.nextSibling;
    removed.remove();
  }
}

function morph(now, next) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.nodeValue !== next.nodeValue) now.nodeValue = next.nodeValue;
    return;
  }
  // Elements with data-keep belong to the browser.
  if (now.isEqualNode(next) || next.hasAttribute("data-keep")) return;
  morphAttributes(now, next);
  morphChildren(now, next);
}
