"""The plaintext search finds a text in any encoding."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.e2e.plaintext_search import forms

WRITINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "JSON": lambda text: json.dumps({"sku": text}).encode(),
    "JSON, not escaped": lambda text: json.dumps({"sku": text}, ensure_ascii=False).encode(),
    "path": lambda text: f"GET /inventory/{quote(text)}/restock".encode(),
    "query": lambda text: f"?customerId={quote_plus(text)}&limit=1".encode(),
    "little endian": lambda text: f"<{text}>".encode("utf-16-le"),
    "big endian": lambda text: f"<{text}>".encode("utf-16-be"),
    "hex": lambda text: text.encode().hex().encode(),
    **{
        f"base64 from {start}": lambda text, start=start: base64.b64encode(b"{" * start + text.encode() + b"}")
        for start in range(4)
    },
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(f"?{text}?".encode()),
}


@pytest.mark.parametrize("text", ["Zanzibar lantern", "Žofie Śląska", "brûlée", "???>>>~~~"])
@pytest.mark.parametrize("write", WRITINGS.values(), ids=WRITINGS)
def test_text_is_found_in_any_encoding(write: Callable[[str], bytes], text: str) -> None:
    found = write(text)
    assert any(form in found for form in forms(text))
    assert not any(form in write("something else") for form in forms(text))
