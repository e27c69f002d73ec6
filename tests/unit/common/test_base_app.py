"""The base of every service's application."""

import pytest

from services.common.web import api_docs
from services.common.web.base_app import create_base_app


@pytest.mark.parametrize("path", ["/things/%2Fx", "/things//x", "//things/x"])
def test_an_id_that_begins_with_a_slash_is_a_404(path: str) -> None:
    app = create_base_app("shop", lambda: True)
    app.get("/things/<name>")(lambda name: name)
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert app.test_client().get("/things/x").text == "x"


def test_a_failed_precondition_on_a_file_is_a_problem() -> None:
    app = create_base_app("shop", lambda: True)
    api_docs.register(app, "Shop", lambda: {"info": {"title": "Shop"}})
    answer = app.test_client().get("/docs/static/docs.js", headers={"If-Match": '"x"'})
    assert (answer.status_code, answer.mimetype) == (412, "application/problem+json")
    assert answer.get_json()["status"] == 412
    assert "ETag" not in answer.headers
