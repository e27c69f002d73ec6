"""How amounts, times and statuses are written; the browser then writes them the way its person is used to."""

from flask import Flask
from markupsafe import Markup

from services.web import words


def register(app: Flask) -> None:
    """Give the templates their filters."""
    app.jinja_env.filters.update(
        money=money,
        time=time,
        status=status,
        sentence=words.sentence,
        order_sentence=words.order_sentence,
        step=words.step,
        parcel_steps=words.parcel_steps,
    )


def money(cents: int | None, currency: str = "USD") -> Markup:
    """Return an amount of minor units."""
    if cents is None:
        return Markup("-")
    return Markup('<data class="money" value="{}" data-currency="{}">{} {}.{:02}</data>').format(
        cents, currency, currency, cents // 100, cents % 100
    )


def time(moment: str | None) -> Markup:
    """Return a moment, given in RFC 3339."""
    if not moment:
        return Markup("-")
    return Markup('<time datetime="{}">{}</time>').format(moment, moment[:19].replace("T", " ") + " UTC")


def status(code: str) -> Markup:
    """Return a status as a badge."""
    return Markup('<span class="badge text-bg-{}">{}</span>').format(words.tone(code), words.name_of(code))
