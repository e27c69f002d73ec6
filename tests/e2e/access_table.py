"""The access tables of docs/security.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from launcher.paths import ROOT

EVERY_SERVICE = "every service"
_SAMPLES = {"shipment_id": "A1:1", "fulfillment_id": "A1:1", "filename": "x.js", "name": "x.js"}


@dataclass(frozen=True)
class Row:
    """A row of the tables: the roles and the apps that may call an endpoint."""

    service: str
    method: str
    path: str
    roles: frozenset[str]
    apps: frozenset[str]

    @property
    def for_everybody(self) -> bool:
        """Whether the endpoint needs no authentication."""
        return self.apps == {"everybody"}

    def of(self, service: str) -> "Row":
        """Return the row for one service; the last table applies to all services."""
        return Row(service, self.method, self.path, self.roles, self.apps)

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


def rows() -> list[Row]:
    """Return every row of the tables, with the id of a missing resource for each path parameter."""
    text = (ROOT / "docs" / "security.md").read_text()
    tables = text.partition("<!-- tables -->")[2].partition("<!-- end of tables -->")[0].strip().split("\n\n")
    found = [row for table in tables for row in _rows(table)]
    services = {row.service for row in found} - {EVERY_SERVICE}
    return [
        row.of(service)
        for row in found
        for service in sorted(services if row.service == EVERY_SERVICE else {row.service})
    ]


def _rows(table: str) -> Iterator[Row]:
    head, _, *lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    service, *roles, _ = head
    for endpoint, *cells, apps in lines:
        method, path = endpoint.strip("`").split()
        path = re.sub(r"{(\w+)}", lambda name: _SAMPLES.get(name[1], "A1"), path)
        allowed = frozenset(role for role, cell in zip(roles, cells, strict=True) if cell == "yes")
        yield Row(service, method, path, allowed, frozenset(filter(None, apps.split(", "))))
