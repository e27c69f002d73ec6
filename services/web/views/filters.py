"""How amounts, times and statuses are written; the browser then writes them the way its person is used to."""

from flask import Flask
from markupsafe import Markup

from services.common.clock import moment, utc_now
from services.web.views import labels, order_history, progress

_PATIENCE = 5.0
"""Seconds: what takes so long is worth a word."""


def register(app: Flask) -> None:
    """Give the templates their filters."""
    app.jinja_env.filters.update(
        money=money,
        number=number,
        time=time,
        status=status,
        field=labels.field_of,
        sentence=labels.sentence,
        badge=badge,
        order_sentence=labels.order_sentence,
        story=order_history.story,
        sums=order_history.sums,
        parcel_steps=progress.parcel_steps,
        standstill=progress.standstill,
        since=since,
    )


def money(cents: int | None, currency: str = "USD") -> Markup:
    """Return an amount of minor units."""
    if cents is None:
        return Markup("-")
    return Markup('<data class="money" value="{}" data-currency="{}">{} {}.{:02}</data>').format(
        cents, currency, currency, cents // 100, cents % 100
    )


def number(count: int) -> Markup:
    """Return how many of something there are."""
    return Markup('<data class="number" value="{}">{:,}</data>').format(count, count)


def time(moment: str | None) -> Markup:
    """Return a moment, given in RFC 3339."""
    if not moment:
        return Markup("-")
    return Markup('<time datetime="{}">{}</time>').format(moment, moment[:19].replace("T", " ") + " UTC")


def since(moment_of: str) -> Markup:
    """Return the attributes of words that are to be read when something has lasted for some seconds."""
    young = (utc_now() - moment(moment_of)).total_seconds() < _PATIENCE
    return Markup('data-since="{}"{}').format(moment_of, Markup(" hidden") if young else "")


def badge(code: str, of: str) -> Markup:
    """Return the status of an order, a parcel or a payment as a badge for its customer."""
    return _badge(code, labels.badge_of(code, of))


def status(code: str) -> Markup:
    """Return a status as a badge."""
    return _badge(code, labels.name_of(code))


def _badge(code: str, name: str) -> Markup:
    return Markup('<span class="badge text-bg-{}">{}</span>').format(labels.tone(code), name)
