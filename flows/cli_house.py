"""Commands that keep house: forget, gc, doctor."""

from __future__ import annotations

import sys
from typing import Any

import click

from flows.exits import BadSetup, or_one_line, refusals


@click.command()
@click.argument("what", required=False)
@click.argument("row", required=False)
@click.option("--reason", default="", help="Why, for whoever reads the tombstones later.")
@click.option("--purge", is_flag=True, help="Also take out what was made before of everything that is forgotten.")
def forget(what: str | None, row: str | None, reason: str, purge: bool) -> None:
    """Forget a row, a seed or a source: nothing that is made from now on holds it.

    WHAT is NAME or NAME@vN with the ROW of it (its number, draw:N, or the id of a fact), the id of any fact, a text
    by its digest (text:DIGEST, or text:- for a text that is given on the input), or source=NAME. What was made from
    it goes with it, and other rows keep their numbers. Versions that hold it are published and exported no more;
    --purge takes it out of what was made before, and says what is beyond its reach.
    """
    from flows import housekeeping

    def job() -> None:
        if not (what or purge):
            raise click.UsageError("say WHAT to forget, or --purge for what is forgotten already")
        with refusals():
            if what:
                housekeeping.forget(what, row, reason=reason)
            if purge:
                housekeeping.purge()

    or_one_line(job)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@click.option("--older-than", metavar="AGE", default="7d", show_default=True, help="Of what goes: 12h, 7d, 0.")
@click.option("--replies", is_flag=True, help="Also drop replies that no version and no run needs: to be paid anew.")
def gc(dry_run: bool, older_than: str, replies: bool) -> None:
    """Remove what no version and no run needs, and merge the small parts of the journal.

    A run afterwards sends nothing that it had paid for, unless --replies dropped it. Versions are never touched.
    """
    from flows import housekeeping

    def job() -> None:
        with refusals():
            housekeeping.collect(older_than, replies=replies, dry_run=dry_run)

    or_one_line(job)


@click.command()
@click.argument("recipe", required=False)
@click.option("--model", "models", multiple=True, metavar="ROLE=ENGINE", help="Bind a role, as for a run.")
@click.option("--set", "changes", multiple=True, metavar="PLACE=VALUE", help="Change the recipe, as for a run.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.option("--offline", is_flag=True, help="Ask no model anything.")
def doctor(
    recipe: str | None, models: tuple[str, ...], changes: tuple[str, ...], as_json: bool, offline: bool
) -> None:
    """Look at this machine, and at what RECIPE needs of it; say what mends each finding.

    Models are asked a few small questions, which may cost a fraction of a cent. Exits with 1 where there is something
    to mend.
    """
    from flows import doctor as screen

    def job() -> Any:
        if models and recipe is None:
            raise BadSetup("--model binds a role of a RECIPE: say which")
        all_changes = [*changes, *(f"models.{binding}" for binding in models)]
        return screen.examine(recipe, changes=all_changes, offline=offline)

    findings = or_one_line(job)
    screen.show(findings, as_json=as_json)
    sys.exit(int(any(each.mend for each in findings)))
