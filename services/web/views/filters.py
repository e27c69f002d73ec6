"""Template filters for amounts, times and statuses; a script then formats amounts and times in the user's locale."""

from flask import Flask
from markupsafe import Markup

from services.common.clock import moment, utc_now
from services.web.views import labels, order_history, progress

_SHOW_AFTER = 5.0
"""Seconds without progress until a page says that a step is still being retried."""


def register(app: Flask) -> None:
    """Register the filters with the application."""
    app.jinja_env.filters.update(
        money=money,
        number=number,
        time=time,
        status=status,
        field_label=labels.field_label,
        sentence=labels.sentence,
        customer_badge=customer_badge,
        order_sentence=labels.order_sentence,
        order_history=order_history.order_history,
        totals=order_history.totals,
        parcel_steps=progress.parcel_steps,
        pending_retry=progress.pending_retry,
        since=since,
    )


def money(cents: int | None, currency: str = "USD") -> Markup:
    """Format an amount of minor units."""
    if cents is None:
        return Markup("-")
    return Markup('<data class="money" value="{}" data-currency="{}">{} {}.{:02}</data>').format(
        cents, currency, currency, cents // 100, cents % 100
    )


def number(count: int) -> Markup:
    """Format a count."""
    return Markup('<data class="number" value="{}">{:,}</data>').format(count, count)


def time(moment: str | None) -> Markup:
    """Format a time, given in RFC 3339."""
    if not moment:
        return Markup("-")
    return Markup('<time datetime="{}">{}</time>').format(moment, moment[:19].replace("T", " ") + " UTC")


def since(started: str) -> Markup:
    """Return the attributes of an element that is hidden until some seconds after `started`."""
    hidden = (utc_now() - moment(started)).total_seconds() < _SHOW_AFTER
    return Markup('data-since="{}"{}').format(started, Markup(" hidden") if hidden else "")


def customer_badge(code: str, kind: str) -> Markup:
    """Format the status of an order, a parcel or a payment as a badge for the customer."""
    return _badge(code, labels.customer_label(code, kind))


def status(code: str) -> Markup:
    """Format a status as a badge."""
    return _badge(code, labels.label(code))


def _badge(code: str, text: str) -> Markup:
    return Markup('<span class="badge text-bg-{}">{}</span>').format(labels.color(code), text)
