"""By which name, and from which page, a browser asks: pages of other sites must not ask in their reader's place."""

from flask import request

_ONLY_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def is_same_site() -> bool:
    """Tell whether a page of this service asks, or a person, as far as the browser says so."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}


def is_safe_or_same_site() -> bool:
    """Tell whether the current request changes nothing, or comes from no page but this service's own."""
    host = _host_of_page()
    same = host is None or host == request.host
    return request.method in _ONLY_READING or (is_same_site() and same)


def is_cross_site_fetch() -> bool:
    """Tell whether a page of another site fetches something by a script or as a part of itself; links may lead here."""
    return not is_same_site() and request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"


def _host_of_page() -> str | None:
    """Return the host of the page that sends the request, "" for one without a host, None where nothing names a page.

    Some old browsers send forms of other sites with neither `Origin` nor `Sec-Fetch-Site`, but with `Referer`.
    """
    headers = request.headers
    if "Origin" in headers:
        return headers["Origin"].partition("://")[2]
    if "Referer" in headers and "Sec-Fetch-Site" not in headers:
        return headers["Referer"].partition("://")[2].partition("/")[0]
    return None
