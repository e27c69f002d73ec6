from tests.unit.billing.builders import TOTAL, Billing, invoice, line

ANSWER = {
    "invoiceReference": "INV-A1-1",
    "subTotal": 4550,
    "tax": 910,
    "shipping": 499,
    "total": TOTAL,
    "currency": "USD",
}


def test_an_invoice_is_made_and_shown() -> None:
    billing = Billing()
    assert billing.post("/invoices", invoice()) == (200, ANSWER)
    shown = billing.client.get("/invoices/A1:1")
    assert shown.status_code == 200
    assert shown.get_json() == invoice() | ANSWER | {"createdAt": "2026-11-21T09:00:00.000Z"}


def test_the_same_again_later_is_the_same_invoice() -> None:
    billing = Billing().invoiced()
    billing.clock.advance(5)
    assert billing.post("/invoices", invoice()) == (200, ANSWER)
    assert billing.client.get("/invoices/A1:1").get_json()["createdAt"] == "2026-11-21T09:00:00.000Z"
    assert billing.documents.writes == 1


def test_other_content_for_the_same_fulfillment_is_a_conflict() -> None:
    billing = Billing().invoiced()
    for other in (invoice(customerId="5678"), invoice(items=[line(unit_price=1)])):
        status, problem = billing.post("/invoices", other)
        assert (status, problem["code"]) == (409, "invoiceExists")
    assert billing.post("/invoices", invoice()) == (200, ANSWER)


def test_an_invoice_that_could_not_be_written_is_made_by_the_repeat() -> None:
    billing = Billing()
    billing.documents.fail_writes_of = lambda key: key == "invoice/A1:1"
    assert billing.post("/invoices", invoice())[0] == 503
    billing.documents.fail_writes_of = lambda _key: False
    assert billing.post("/invoices", invoice()) == (200, ANSWER)


def test_the_largest_invoice_is_exact_and_can_be_read_again() -> None:
    billing = Billing()
    items = [line(f"sku {n}", 100_000, 10**12) for n in range(100)]
    status, answer = billing.post("/invoices", invoice(items=items))
    assert (status, answer["subTotal"]) == (200, 10**19)
    assert billing.post("/invoices", invoice(items=items)) == (200, answer)
    assert billing.client.get("/invoices/A1:1").get_json()["total"] == answer["total"]


def test_an_unknown_or_impossible_fulfillment_has_no_invoice() -> None:
    billing = Billing()
    for key in ("A1:1", "A1", "A1:0", "%ff", "a||b:1", "x" * 5000, "A1:1%0A"):
        assert billing.client.get(f"/invoices/{key}").status_code == 404
