"""The short benchmark runs. Its results are not checked against limits."""

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import main

pytestmark = pytest.mark.e2e


def test_short_benchmark_measures_every_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--orders", "8", "--customers", "4", "--rates", "2", "--seconds", "3", "--workflows", "10"]
    assert main([*short, "--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["engineActivitiesPerSecond"] > 0
    assert [run["name"] for run in found["runs"]] == ["2/s", "4 customers"]
    assert [run["statuses"] for run in found["runs"]] == [{"completed": 6}, {"completed": 8}]
    for run in found["runs"]:
        assert 0 < run["accept"]["p50"] <= run["accept"]["p99"]
        assert 0 < run["end"]["p50"] <= run["end"]["p99"]
        assert run["counted"]["activities"] > run["orders"]
        assert all(run["cpu"][name] > 0 for name in ("orderprocessing", "worker-1", "worker-2"))
    assert "orders/s" in capsys.readouterr().out
