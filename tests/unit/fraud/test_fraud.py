"""Limit, tallies, maintenance and reset."""

from typing import Any

import pytest

from tests.unit.fraud.conftest import Fraud


def test_at_first_there_is_no_limit_and_no_maintenance(fraud: Fraud) -> None:
    assert fraud.http.get("/settings").get_json() == {"limit": 0, "maintenanceMode": False}
    assert fraud.declined(10**15) is False


def test_a_charge_beyond_the_limit_is_declined_and_not_counted(fraud: Fraud) -> None:
    assert fraud.post("/limit", limit=1000).get_json() == {"limit": 1000, "maintenanceMode": False}
    assert fraud.declined(600) is False
    assert fraud.declined(401) is True
    assert fraud.declined(400) is False
    assert fraud.tally() == 1000


def test_tallies_are_kept_by_customer(fraud: Fraud) -> None:
    fraud.post("/limit", limit=10)
    assert fraud.declined(10, customer="a") is False
    assert fraud.declined(10, customer="b||%") is False
    assert fraud.declined(1, customer="b||%") is True
    assert fraud.tally("b||%25") == 10
    assert fraud.tally("nobody") == 0


def test_accepted_charges_are_counted_without_a_limit_too(fraud: Fraud) -> None:
    fraud.declined(700, "c1")
    fraud.post("/limit", limit=1000)
    assert fraud.declined(301, "c2") is True


def test_a_charge_id_counts_once_and_keeps_its_answer(fraud: Fraud) -> None:
    fraud.post("/limit", limit=1000)
    for _ in range(3):
        assert fraud.declined(600, "charge-A1:1") is False
        assert fraud.declined(500, "charge-A1:2") is True
    assert fraud.tally() == 600
    fraud.post("/limit", limit=0)
    assert fraud.declined(500, "charge-A1:2") is True
    fraud.post("/limit", limit=1)
    assert fraud.restarted().declined(600, "charge-A1:1") is False
    assert fraud.tally() == 600


def test_without_a_charge_id_each_call_counts(fraud: Fraud) -> None:
    fraud.declined(5)
    fraud.declined(5)
    assert fraud.tally() == 10


def test_a_charge_id_with_other_content_is_a_conflict(fraud: Fraud) -> None:
    fraud.declined(5, "c1")
    assert fraud.check(6, "c1").get_json()["code"] == "chargeDiffers"
    assert fraud.check(5, "c1", customer="other").status_code == 409
    assert (fraud.tally(), fraud.tally("other")) == (5, 0)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_public_check_does_not_affect_checks_with_a_charge_id(fraud: Fraud, when: str) -> None:
    fraud.post("/limit", limit=1000)
    public = {"customerId": "other", "charge": 7, "chargeId": "charge-A1:1"}
    if when == "before":
        assert fraud.http.post("/check", json=public).get_json() == {"declined": False}
    assert fraud.declined(600, "charge-A1:1") is False
    if when == "after":
        assert fraud.http.post("/check", json=public).get_json() == {"declined": False}
    assert fraud.declined(600, "charge-A1:1") is False
    assert (fraud.tally(), fraud.tally("other")) == (600, 7)
    assert fraud.reverse("charge-A1:1").get_json()["outcome"] == "reversed"
    assert (fraud.tally(), fraud.tally("other")) == (0, 7)


def test_a_reversal_subtracts_the_charge_once_and_blocks_it(fraud: Fraud) -> None:
    fraud.declined(5, "c0")
    fraud.declined(600, "c1")
    for _ in range(3):
        answer = fraud.reverse("c1")
        assert (answer.status_code, answer.get_json()) == (200, {"chargeId": "c1", "outcome": "reversed"})
        assert fraud.tally() == 5
        assert fraud.declined(600, "c1") is True


def test_a_reversal_of_a_declined_charge_subtracts_nothing(fraud: Fraud) -> None:
    fraud.post("/limit", limit=10)
    fraud.declined(9, "c1")
    fraud.declined(5, "c2")
    assert fraud.reverse("c2").get_json() == {"chargeId": "c2", "outcome": "declined"}
    assert fraud.tally() == 9


def test_a_reversal_that_comes_first_declines_the_charge(fraud: Fraud) -> None:
    assert fraud.reverse("c1").get_json() == {"chargeId": "c1", "outcome": "reversed"}
    assert fraud.declined(5, "c1") is True
    assert fraud.tally() == 0


def test_in_maintenance_checks_wait_but_reversals_do_not(fraud: Fraud) -> None:
    fraud.declined(5, "c1")
    assert fraud.post("/maintenance").get_json() == {"limit": 0, "maintenanceMode": True}
    for charge_id in ("c1", "c2", None):
        answer = fraud.check(5, charge_id)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "maintenance")
        assert answer.headers["Retry-After"] == "1"
    assert fraud.reverse("c1").status_code == 200
    assert fraud.tally() == 0
    assert fraud.post("/maintenance", enabled=False).get_json()["maintenanceMode"] is False
    assert fraud.declined(5, "c2") is False
    assert fraud.post("/maintenance", enabled=True).get_json()["maintenanceMode"] is True


def test_a_reset_clears_everything(fraud: Fraud) -> None:
    fraud.post("/limit", limit=100)
    fraud.declined(100)
    fraud.post("/maintenance")
    assert fraud.post("/reset").get_json() == {"limit": 0, "maintenanceMode": False}
    assert fraud.tally() == 0
    fraud.post("/limit", limit=100)
    assert fraud.declined(100) is False


def test_a_reversal_of_a_charge_from_before_a_reset_changes_no_tally(fraud: Fraud) -> None:
    fraud.declined(100, "old")
    fraud.post("/reset")
    fraud.declined(30, "new")
    fraud.reverse("old")
    assert fraud.tally() == 30


def test_a_check_repeated_after_a_reset_keeps_its_answer_and_is_not_counted_again(fraud: Fraud) -> None:
    fraud.declined(100, "old")
    fraud.post("/reset")
    assert fraud.declined(100, "old") is False
    assert fraud.tally() == 0


def test_a_tally_document_stays_small(fraud: Fraud) -> None:
    for number in range(60):
        fraud.declined(2, f"c{number}")
        fraud.reverse(f"c{number - 5}")
    assert len(fraud.documents.kept["tally/1234"][0]) < 500
    assert fraud.tally() == 2 * 5


WRONG: list[Any] = [None, "1", True, -1, 1.5, 10**30, [], {}]


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_limit_is_refused(fraud: Fraud, value: Any) -> None:
    assert fraud.post("/limit", limit=value).status_code == 422
    assert fraud.http.get("/settings").get_json()["limit"] == 0


@pytest.mark.parametrize("value", [None, "true", 1, 0, [], {}])
def test_a_wrong_maintenance_switch_is_refused(fraud: Fraud, value: Any) -> None:
    assert fraud.post("/maintenance", enabled=value).status_code == 422
    assert fraud.http.get("/settings").get_json()["maintenanceMode"] is False


@pytest.mark.parametrize("charge", WRONG)
@pytest.mark.parametrize("text", ["", " ", "\ud800", "\x00", "x" * 101, 5])
def test_a_wrong_check_names_all_wrong_fields(fraud: Fraud, charge: Any, text: Any) -> None:
    for path in ("/check", "/check/c1"):
        answer = fraud.http.post(path, json={"customerId": text, "charge": charge})
        assert answer.status_code == 422
        assert {error["field"] for error in answer.get_json()["errors"]} == {"customerId", "charge"}
    assert fraud.documents.kept == {}


@pytest.mark.parametrize("path", ["/limit", "/check", "/check/c1", "/maintenance"])
@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"limit":NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_a_json_object_is_a_400(fraud: Fraud, path: str, body: bytes) -> None:
    assert fraud.http.post(path, data=body, content_type="application/json").status_code == 400


def test_another_content_type_is_a_415_and_too_much_a_413(fraud: Fraud) -> None:
    assert fraud.http.post("/limit", data={"limit": "1"}).status_code == 415
    huge = fraud.http.post("/maintenance", data=b" " * 300_000, content_type="application/json")
    assert huge.status_code == 413


@pytest.mark.parametrize("text", ["%00", "%FF", "x" * 5000, "%20", "%0A", "..", "a%2Fb", "a b"])
def test_unusual_paths_are_never_a_server_error(fraud: Fraud, text: str) -> None:
    assert fraud.http.post(f"/check/{text}/reverse").status_code in (404, 422)
    assert fraud.check(5, text).status_code in (404, 422)
    assert fraud.http.get(f"/tally/{text}").status_code in (200, 404, 422)
    assert fraud.documents.kept == {}
