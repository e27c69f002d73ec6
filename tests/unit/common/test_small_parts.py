"""Money, time, ids, pauses, configuration, logs and tracing."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from flask import Flask
from pydantic import TypeAdapter, ValidationError

from services.common import logs, tracing
from services.common.clock import moment, rfc3339, utc_now
from services.common.config import ConfigurationError as Wrong
from services.common.config import Money, Seconds, ServiceConfig, read, read_or_exit
from services.common.ids import OrderId, check_owner, fulfillment_id, is_fulfillment_id, split_fulfillment_id
from services.common.money import minor_units, percent_half_up
from services.orderprocessing.workflows.policies import BUSINESS

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class ShopConfig(ServiceConfig):
    """Something of every kind."""

    timeout: Seconds = 1.0
    threshold: Money = 100_000


@pytest.mark.parametrize(
    ("major", "minor"), [("0", 0), ("1", 100), ("1299.00", 129900), ("0.01", 1), ("-1.5", -150), ("1e3", 100000)]
)
def test_major_units_become_minor_units_exactly(major: str, minor: int) -> None:
    assert minor_units(Decimal(major)) == minor


@pytest.mark.parametrize(
    "major", ["0.001", "NaN", "sNaN", "Infinity", "-Infinity", "1e15", "1e-400", "1e400", "4." + "0" * 40 + "1"]
)
def test_an_invalid_amount_of_money_is_rejected(major: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        minor_units(Decimal(major))


@pytest.mark.parametrize(("amount", "tax"), [(0, 0), (1, 0), (2, 0), (3, 1), (12, 2), (13, 3), (10**20, 2 * 10**19)])
def test_a_percentage_is_rounded_half_up(amount: int, tax: int) -> None:
    assert percent_half_up(amount, 20) == tax
    assert percent_half_up(1, 50) == 1


def test_timestamps_sort_as_text_and_can_be_parsed() -> None:
    first = datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC)
    assert rfc3339(first) == "2026-01-02T03:04:05.000Z"
    assert rfc3339(first) < rfc3339(first + timedelta(milliseconds=1))
    assert moment(rfc3339(first)) == first.replace(microsecond=0)
    assert rfc3339(first.astimezone(timezone(timedelta(hours=5)))) == rfc3339(first)
    assert utc_now().tzinfo is UTC


def test_a_fulfillment_id_is_made_and_taken_apart() -> None:
    assert fulfillment_id("A1", 2) == "A1:2"
    assert split_fulfillment_id("A1:2") == ("A1", 2)
    assert check_owner("A1", "A1:2") == check_owner("A1", None) == "A1"
    with pytest.raises(ValueError, match="order"):
        check_owner("A2", "A1:2")
    for wrong in ("A1", "A1:", "A1:0", "A1:01", "A1:10000", ":1", "A1:1\n", "A1:1:1", ""):
        assert not is_fulfillment_id(wrong)
        with pytest.raises(ValueError, match="fulfillment"):
            split_fulfillment_id(wrong)


def test_an_order_id_is_safe_everywhere() -> None:
    order_id = TypeAdapter(OrderId)
    assert order_id.validate_python("A1-1763712000") == "A1-1763712000"
    for wrong in ("", "-A", "A" * 41, "A1\n", "A 1", "A:1", "Ä", "A/1", "A|1"):
        with pytest.raises(ValidationError):
            order_id.validate_python(wrong)


def test_pauses_grow_up_to_the_longest() -> None:
    assert [BUSINESS.pause(tries) for tries in (1, 2, 3, 4, 5, 10_000)] == [0.5, 1, 2, 2, 2, 2]


def test_the_environment_is_read_by_the_names_of_the_fields() -> None:
    config = read(ShopConfig, {"TIMEOUT": "2.5", "THRESHOLD": "12.34", "LOG_LEVEL": "DEBUG", "X": "y"}, app_port=1)
    assert (config.timeout, config.threshold, config.log_level, config.app_port) == (2.5, 1234, "DEBUG", 1)
    assert read(ShopConfig, {"APP_PORT": "3000", "TIMEOUT": ""}, app_port=1).app_port == 3000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("TIMEOUT", value) for value in ("0", "-1", "nan", "inf", "soon")),
        *(("THRESHOLD", value) for value in ("-1", "0.001", "NaN", "much", "1e999999999")),
        *(("APP_PORT", value) for value in ("0", "65536", "http", "1.5")),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_setting_is_reported_without_a_traceback(name: str, value: str) -> None:
    with pytest.raises(Wrong) as error:
        read(ShopConfig, {name: value}, app_port=1)
    assert "Traceback" not in str(error.value)


def test_all_wrong_settings_are_reported_at_once() -> None:
    with pytest.raises(Wrong, match=r"APP_PORT.*LOG_LEVEL|LOG_LEVEL.*APP_PORT"):
        read(ShopConfig, {"APP_PORT": "0", "LOG_LEVEL": "LOUD"})


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT", "soon"), ("THRESHOLD", "much")])
def test_a_wrong_number_is_reported_with_its_name(name: str, value: str) -> None:
    with pytest.raises(Wrong, match=name):
        read(ShopConfig, {name: value}, app_port=1)


def test_a_wrong_configuration_ends_the_service_with_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_or_exit(ShopConfig, {}, app_port=1).app_port == 1
    with pytest.raises(SystemExit) as end:
        read_or_exit(ShopConfig, {"LOG_LEVEL": "LOUD"}, app_port=1)
    assert end.value.code == 2
    assert "LOG_LEVEL is 'LOUD'" in capsys.readouterr().err


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    raise ValueError("inner cause")


def test_a_json_line_carries_order_trace_fields_and_error(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("INFO", "json")
    log = logs.get_logger("shop")
    app = Flask("shop")
    tracing.register(app)

    @app.get("/")
    def _view() -> str:
        with logs.about_order("A1"):
            log.info('said "so"\n%s', "é", extra={"cause": {1}})
            try:
                fail()
            except ValueError:
                log.exception("went wrong")
        log.info("outside")
        log.debug("too fine")
        return ""

    app.test_client().get("/", headers={"Traceparent": PARENT})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("orderId") for line in lines] == ["A1", "A1", None]
    assert {line["traceId"] for line in lines} == {TRACE}
    assert (lines[0]["message"], lines[0]["cause"], lines[0]["level"]) == ('said "so"\né', "{1}", "INFO")
    assert "inner cause" in lines[1]["error"]
    assert lines[0]["logger"] == "shop"


def test_a_text_line_carries_the_same(root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("WARNING", "text")
    with logs.about_order("A1"):
        logs.get_logger("shop").warning("late", extra={"cause": "rain"})
    try:
        fail()
    except ValueError:
        logs.get_logger("shop").exception("went wrong")
    output = capsys.readouterr().out
    assert "WARNING late orderId=A1 cause=rain\n" in output
    assert "inner cause" in output


def test_text_logs_are_safe_from_log_injection(root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", "text")
    forged = "x\r\n2026-11-26T04:00:00.000Z INFO    forged\x1b[2J\u2028\u202e é"
    logs.get_logger("shop").warning("dropped %s", forged, extra={"cause": forged})
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert output.rstrip("\n").isprintable()
    assert output.count("x\\r\\n2026-11-26T04:00:00.000Z INFO    forged\\x1b[2J\\u2028\\u202e é") == 2


@pytest.mark.parametrize(
    ("level", "shown"), [("INFO", ["order_workflow"]), ("DEBUG", ["liveness_workflow", "order_workflow"])]
)
def test_the_probes_of_an_idle_worker_are_logged_at_debug_only(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str], level: str, shown: list[str]
) -> None:
    client = logging.getLogger("durabletask-client")
    client.filters.clear()
    logs.set_up(level, "text")
    for workflow in ("liveness_workflow", "order_workflow"):
        client.info("Starting new '%s' instance with ID = 'x'.", workflow)
    client.filters.clear()
    assert [line.split("'")[1] for line in capsys.readouterr().out.splitlines()] == shown


def test_a_trace_is_propagated_and_ends_with_its_request() -> None:
    app = Flask("shop")
    tracing.register(app)
    sent: list[dict[str, str]] = []

    @app.get("/")
    def _view() -> str:
        sent.append(tracing.outgoing_headers())
        return tracing.trace_id() or "none"

    client = app.test_client()
    answer = client.get("/", headers={"traceparent": PARENT, "tracestate": "a=1"})
    assert (answer.text, sent[0]) == (TRACE, {"traceparent": PARENT, "tracestate": "a=1"})
    assert client.get("/").text == "none"
    assert client.get("/", headers={"traceparent": "nonsense"}).text == "none"
    assert (tracing.trace_id(), sent[1:]) == (None, [{}, {}])


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"ENCRYPTION_KEY_ID": "current"}, "ENCRYPTION_KEY_ID needs ENCRYPTION_KEYS_FILE or ENCRYPTION_SECRET_STORE"),
        ({"ENCRYPTION_KEYS_FILE": "x", "ENCRYPTION_SECRET_STORE": "y"}, "exclude each other"),
        ({"ACCEPT_UNENCRYPTED": "perhaps"}, "ACCEPT_UNENCRYPTED is 'perhaps'"),
    ],
)
def test_keys_need_exactly_one_source(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(Wrong, match=complaint):
        read(ServiceConfig, environ, app_port=1)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(Wrong, match=r"^APP_PORT is not set$"):
        read(ServiceConfig, {})
