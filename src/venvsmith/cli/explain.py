"""``venvsmith explain``: a rule's page, or the list of rules."""

from __future__ import annotations

import click

from venvsmith.errors import UsageError


@click.command("explain", epilog="Example: venvsmith explain interpreter-dangling")
@click.argument("rule", required=False)
@click.pass_obj
def command(shared: object, rule: str | None) -> None:  # noqa: ARG001 - click's signature
    """Tell what RULE looks for, why it happens, how to see it and how to mend it.

    RULE is a name (interpreter-dangling) or a code (VS301). Without one, list them all.
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
