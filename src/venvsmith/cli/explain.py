"""``venvsmith explain``: a rule's page, or the list of rules."""

from __future__ import annotations

import click

from venvsmith.cli import complete
from venvsmith.cli.manual import Manual
from venvsmith.errors import UsageError


@click.command("explain", cls=Manual)
@click.argument("rule", required=False, shell_complete=complete.rules)
@click.pass_obj
def command(shared: object, rule: str | None) -> None:  # noqa: ARG001 - click's signature
    """Tell what a rule looks for, why, and how to mend what it finds.

    A page tells the symptom, the causes, how to see it without venvsmith, and how to mend it.
    Without RULE, list them all. The same pages stand in docs/rules.
    """
    from venvsmith.rules.framework.catalogue import load_rules  # noqa: PLC0415 - lazy command
    from venvsmith.rules.framework.pages import index, near  # noqa: PLC0415

    rules = load_rules()
    if rule is None:
        click.echo(index(rules), nl=False)
        return
    found = next((r for r in rules if rule.lower() in {r.name, r.code.lower()}), None)
    if found is None:
        hint = near(rule, rules) or "'venvsmith explain' lists them"
        raise UsageError(f"there is no rule '{rule}'", hint=hint, code="no-rule")
    click.echo(found.page(), nl=False)
