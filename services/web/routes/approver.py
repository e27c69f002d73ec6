"""The approver's page: the orders that need approval."""

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from services.common.identity import Role
from services.common.states import OrderStatus
from services.common.web.base_app import parse
from services.web.auth.current_user import choose_name, fixed_name, user_name
from services.web.clients.backend import Backend
from services.web.clients.parallel_calls import CachedReader, ParallelCalls
from services.web.pages import form_succeeded, render_page
from services.web.views.approvals import Decision, approval_case

_ROLE = Role.APPROVER
_PAGE_SIZE = 20


def approver_routes(backend: Backend, calls: ParallelCalls) -> Blueprint:
    """Return the approver's pages."""
    routes = Blueprint("approver", __name__, url_prefix="/approvals")
    reader = CachedReader(
        calls, lambda order_id: approval_case(backend.order(order_id)), cacheable=lambda case: case.open
    )

    @routes.get("/")
    def approvals() -> str:
        lines, cursor = backend.orders(_PAGE_SIZE, request.args.get("cursor"), status=OrderStatus.APPROVAL_REQUIRED)
        cases = reader.read([line["id"] for line in lines])
        # A line of the list may be older than the order itself.
        open_orders = [line for line in lines if line["id"] not in cases or cases[line["id"]].open]
        return render_page(
            "approver/approvals.html",
            orders=open_orders,
            cases=cases,
            cursor=cursor,
            approver=user_name(_ROLE),
            name_is_fixed=fixed_name(_ROLE) is not None,
        )

    @routes.post("/name")
    def set_name() -> Response:
        return choose_name(_ROLE, "approver.approvals", "Your decisions are now recorded under the name {}.")

    @routes.post("/orders/<order_id>")
    def decide(order_id: str) -> Response:
        form = parse(Decision, {"approver": user_name(_ROLE), "decision": request.form.get("decision", "")})
        approved = form.decision == "approve"
        backend.approve(order_id, form.approver, approved)
        message = f"Order {order_id} is {'approved' if approved else 'rejected'}."
        return form_succeeded(url_for("approver.approvals", cursor=request.form.get("cursor") or None), message)

    return routes
