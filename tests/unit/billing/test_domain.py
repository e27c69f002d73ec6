import pytest

from services.billing import domain
from services.billing.models import ChargeOutcome, ChargeRequest, Invoice, InvoiceRequest, Ledger, RefundRequest
from services.billing.provider import CARD_LIMIT, SimulatedCardNetwork
from services.common.errors import NotAllowedError
from tests.unit.billing.builders import TOTAL, charge, invoice, line, refund

AT = "2026-11-21T09:00:00.000Z"
ACCEPTED = ChargeOutcome(True, "CH-1")


def made(*lines: dict[str, object]) -> Invoice:
    return domain.make_invoice(InvoiceRequest.model_validate(invoice(items=list(lines))), AT)


def test_one_unit_costs_goods_tax_and_the_base_shipping() -> None:
    bill = made(line())
    assert (bill.sub_total, bill.tax, bill.shipping, bill.total) == (4550, 910, 499, TOTAL)


def test_each_further_unit_of_any_line_adds_shipping() -> None:
    bill = made(line(quantity=2), line("milk", 3, 400))
    assert (bill.sub_total, bill.shipping) == (10300, 499 + 4 * 150)


@pytest.mark.parametrize(("goods", "tax"), [(0, 0), (2, 0), (3, 1), (7, 1), (8, 2), (12, 2), (13, 3)])
def test_tax_is_rounded_half_up_on_the_whole_fulfillment(goods: int, tax: int) -> None:
    assert made(line(unit_price=goods)).tax == tax


def test_two_small_lines_are_taxed_together_not_each() -> None:
    assert made(line("a", 1, 2), line("b", 1, 2)).tax == 1


def test_the_reference_is_readable_and_made_of_the_fulfillment() -> None:
    bill = domain.make_invoice(InvoiceRequest.model_validate(invoice(fulfillmentId="A1-176:12", orderId="A1-176")), AT)
    assert bill.invoice_reference == "INV-A1-176-12"


def test_what_is_recorded_for_a_key_is_never_overwritten() -> None:
    voided = domain.void_unless_charged(None, RefundRequest.model_validate(refund()), AT)
    request = ChargeRequest.model_validate(charge())
    assert domain.record_charge(voided, request, ACCEPTED, AT) is voided


def test_a_second_key_that_paid_the_same_invoice_meanwhile_is_recorded_as_voided() -> None:
    first = domain.record_charge(None, ChargeRequest.model_validate(charge()), ACCEPTED, AT)
    second = ChargeRequest.model_validate(charge(idempotencyKey="other"))
    assert domain.record_charge(first, second, ACCEPTED, AT).charges["other"].status == "voided"


def test_a_ledger_has_a_limit_of_keys() -> None:
    ledger: Ledger | None = None
    for number in range(domain.MAX_KEYS):
        request = RefundRequest.model_validate(refund(chargeKey=f"k{number}"))
        ledger = domain.void_unless_charged(ledger, request, AT)
    with pytest.raises(NotAllowedError) as refused:
        domain.void_unless_charged(ledger, RefundRequest.model_validate(refund(chargeKey="more")), AT)
    assert refused.value.code == "ledgerFull"


def test_the_simulated_network_gives_the_same_reference_for_the_same_key() -> None:
    network = SimulatedCardNetwork()
    assert network.charge("k", 100, "USD") == network.charge("k", 100, "USD")
    assert network.charge("k", 100, "USD").reference != network.charge("l", 100, "USD").reference
    assert network.refund("CH-1", 100, "k") == network.refund("CH-1", 100, "k")


def test_the_simulated_network_declines_above_the_card_limit_only() -> None:
    network = SimulatedCardNetwork()
    assert network.charge("k", CARD_LIMIT, "USD").accepted
    above = network.charge("k", CARD_LIMIT + 1, "USD")
    assert (above.accepted, above.reason) == (False, "cardDeclined")
