// Makes one tree of elements like another, changing only what differs: what a person has focused, ticked, typed or
// opened stays as it is.

const key = (node) => (node.nodeType === Node.ELEMENT_NODE && (node.dataset.key || node.id)) || null;

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);
}

function morphAttributes(now, next) {
  for (const { name } of [...now.attributes]) {
    // A person opens and closes details, not the server.
    if (!next.hasAttribute(name) && !(name === "open" && now.nodeName === "DETAILS")) now.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
}

/** Makes the children of `now` like those of `next`, which is used up. */
export function morphChildren(now, next) {
  const keyed = new Map([...now.childNodes].filter(key).map((node) => [key(node), node]));
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const known = key(wanted) ? keyed.get(key(wanted)) : at;
    if (known && alike(known, wanted)) {
      if (known === at) at = at.nextSibling;
      else now.insertBefore(known, at);
      morph(known, wanted);
    } else {
      now.insertBefore(wanted, at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function morph(now, next) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.nodeValue !== next.nodeValue) now.nodeValue = next.nodeValue;
    return;
  }
  if (now.isEqualNode(next)) return;
  morphAttributes(now, next);
  morphChildren(now, next);
}
