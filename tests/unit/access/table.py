"""The access tables of the documentation, derived from the rules."""

from services.common.identity import Role
from services.common.web.access_rules import Rule, Rules


def as_markdown(service: str, rules: Rules) -> str:
    """Return the table of one service."""
    lines = [f"| {service} | {' | '.join(Role)} | services |", "|---|" + "---|" * (len(Role) + 1)]
    return "\n".join(lines + [_line(endpoint, rule) for endpoint, rule in rules.items()])


def _line(endpoint: str, rule: Rule) -> str:
    path = endpoint.replace("<path:", "<").replace("<", "{").replace(">", "}")
    if rule.everybody:
        return f"| `{path}` | {' | '.join('yes' for _ in Role)} | everybody |"
    apps = ["its sidecar"] if rule.sidecar else sorted(rule.apps)
    return f"| `{path}` | {' | '.join('yes' if role in rule.roles else '-' for role in Role)} | {', '.join(apps)} |"
