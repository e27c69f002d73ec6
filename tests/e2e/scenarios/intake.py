"""Order intake: both forms, repetitions, concurrency, and the maximum size."""

from concurrent.futures import ThreadPoolExecutor

from tests.e2e.polling import eventually
from tests.e2e.scenarios.goods import TOGETHER
from tests.e2e.shopper import Shopper


@TOGETHER.scenario
def long_form_of_the_specification_is_delivered(shopper: Shopper) -> None:
    shopper.customer_id = "1234"
    shopper.knows("Vans Old Skool")
    body = {
        "id": "A1-1763712000",
        "customerId": "1234",
        "items": [{"sku": "Vans Old Skool", "quantity": 1, "description": "black, size 42"}],
    }
    answer = shopper.shop.call("orderprocessing", "POST", "/orders", body)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"{shopper.shop.address_of('orderprocessing')}/orders/A1-1763712000"
    shown = answer.json()
    assert (shown["id"], shown["items"]) == ("A1-1763712000", [{"sku": "Vans Old Skool", "quantity": 1}])
    shopper.delivers(shopper.sends(body))


@TOGETHER.scenario
def short_form_of_the_specification_is_equivalent(shopper: Shopper) -> None:
    shopper.customer_id = "Riley"
    for sku in ("milk", "bread", "iPhone"):
        shopper.knows(sku)
    order_id = shopper.sends({"customer": "Riley", "items": ["milk", "bread", "iPhone"], "total": 1299.00})
    order = shopper.sees(order_id, "approvalRequired")
    assert (order["customerId"], order["goodsTotal"]) == ("Riley", 129_900)
    assert order["items"] == [{"sku": sku, "quantity": 1} for sku in ("milk", "bread", "iPhone")]
    shopper.shop.approve(order_id)
    shopper.delivers(order_id)


@TOGETHER.scenario
def repeated_lines_add_up_and_a_correct_total_is_accepted(shopper: Shopper) -> None:
    sku = shopper.goods(price=1250, a=4)
    items = [sku, {"sku": sku, "quantity": 2}, sku]
    order_id = shopper.sends({"customer": shopper.customer_id, "items": items, "total": 50})
    assert shopper.delivers(order_id)["items"] == [{"sku": sku, "quantity": 4}]


@TOGETHER.scenario
def lines_of_one_sku_may_exceed_the_limit_of_a_line_in_total(shopper: Shopper) -> None:
    sku = shopper.goods(price=5, a=1200)
    lines = [{"sku": sku, "quantity": 600}] * 2
    order_id = shopper.sends({"customerId": shopper.customer_id, "items": lines})
    assert shopper.delivers(order_id)["items"] == [{"sku": sku, "quantity": 1200}]


@TOGETHER.scenario
def ten_concurrent_requests_with_the_same_id_create_one_order(shopper: Shopper) -> None:
    body = shopper.request({shopper.goods(a=20): 2}, id=shopper.new_id())
    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(lambda _: shopper.sends(body), range(10)))
    assert ids == {body["id"]}
    shopper.delivers(body["id"])
    again = shopper.shop.place(body)
    assert again["status"] == "completed"
    different = body | {"customerId": "somebody else"}
    assert shopper.shop.place(different, expect=409)["code"] == "orderExists"


@TOGETHER.scenario
def ten_concurrent_requests_with_the_same_idempotency_key_create_one_order(shopper: Shopper) -> None:
    sku = shopper.goods(a=20)
    body, headers = shopper.request({sku: 2}), {"Idempotency-Key": f'"{shopper.customer_id}"'}
    with ThreadPoolExecutor(10) as pool:
        [order_id] = set(pool.map(lambda _: shopper.sends(body, headers=headers), range(10)))
    other = shopper.request({sku: 3})
    assert shopper.shop.place(other, expect=422, headers=headers)["code"] == "idempotencyKeyReused"
    shopper.delivers(order_id)


@TOGETHER.scenario
def order_that_loses_the_race_for_its_id_does_not_consume_its_idempotency_key(shopper: Shopper) -> None:
    sku = shopper.goods(a=100)
    for number in range(3):
        keys = [{"Idempotency-Key": f"{shopper.customer_id}-{number}-{key}"} for key in range(4)]
        order_id = shopper.new_id()

        def send(quantity: int, order_id: str = order_id, keys: list[dict[str, str]] = keys) -> int:
            body = shopper.request({sku: quantity + 1}, id=order_id)
            return shopper.shop.call("orderprocessing", "POST", "/orders", body, headers=keys[quantity]).status_code

        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(send, range(4)))
        assert sorted(statuses) == [202, 409, 409, 409]
        shopper.sends(shopper.request({sku: statuses.index(202) + 1}, id=order_id))
        losers = [key for key, status in zip(keys, statuses, strict=True) if status == 409]
        for key in losers:
            shopper.sends(shopper.request({sku: 5}, id=shopper.new_id()), headers=key)
    for order_id in shopper.placed:
        shopper.delivers(order_id)


@TOGETHER.scenario
def order_of_a_hundred_lines_has_correct_totals(shopper: Shopper) -> None:
    with ThreadPoolExecutor(8) as pool:
        skus = list(pool.map(lambda n: shopper.goods(price=301 + n, **{"ab"[n % 2]: 3}), range(100)))
    quantities = {sku: 1 + number % 3 for number, sku in enumerate(skus)}
    goods = sum(shopper.prices[sku] * quantity for sku, quantity in quantities.items())
    assert goods < 100_000, "this order should need no approval"
    order = shopper.delivers(shopper.orders(quantities, total=goods / 100))
    assert order["goodsTotal"] == goods
    assert {one["sku"]: one["quantity"] for one in order["items"]} == quantities
    assert [one["location"] for one in order["fulfillments"]] == ["Warehouse A", "Warehouse B"]


@TOGETHER.scenario
def later_price_change_does_not_affect_an_order(shopper: Shopper) -> None:
    sku = shopper.goods(price=60_000, a=2)
    order_id = shopper.orders({sku: 2})
    shopper.sees(order_id, "approvalRequired")
    assert shopper.shop.call("inventory", "PUT", f"/inventory/{sku}", {"unitPrice": 70_000}).ok
    eventually(lambda: shopper.shop.get("inventory", f"/inventory/{sku}")["unitPrice"] == 70_000)
    shopper.shop.approve(order_id)
    assert shopper.delivers(order_id)["goodsTotal"] == 120_000
