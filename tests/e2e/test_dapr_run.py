"""The run template also works with the Dapr CLI alone, as `make deps` tells one to use it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.apps import Tokens
from runtime.children import Child
from runtime.paths import ROOT
from runtime.stack import Stack
from runtime.template import write_shifted
from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.launch import SHORT, make_stack
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

PORT_OFFSET = 5000


@pytest.fixture
def stack(tmp_path: Path, collector: Collector) -> Iterator[Stack]:
    stack = make_stack(tmp_path, PORT_OFFSET, SHORT, collector.address)
    try:
        yield stack
    finally:
        stack.stop()


@pytest.mark.parametrize("tokens", [None, Tokens()], ids=["without tokens", "with tokens"])
def test_an_order_is_delivered_under_dapr_run(stack: Stack, tokens: Tokens | None) -> None:
    dapr = stack.start_services()
    assert stack.run_template
    template = write_shifted(stack.run_template, ROOT, stack.state_dir, PORT_OFFSET)
    env = {**dapr.environment(), "DAPR_HOST_IP": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    env |= tokens.environment() if tokens else {}
    cli = Child("dapr-run", [dapr.cli, "run", "-f", template], stack.state_dir, env=env)
    shop = Shop(stack.address, stack.sidecar_address)
    try:
        for app in stack.apps():
            eventually(lambda app=app: shop.is_ready(app.app_id), 60)
        internal = shop.call("inventory", "POST", "/reservations", {})
        assert internal.status_code == (401 if tokens else 422)
        shopper = Shopper(shop)
        shopper.delivers(shopper.orders({shopper.goods(a=2): 1}))
    finally:
        cli.stop()
