"""Commands for files that somebody else made: verify, curate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from flows.exits import EXIT_NOTHING, BadSetup, or_one_line


@click.command()
@click.argument("file")
@click.option("--question", help="The column with the question, if there is one.")
@click.option("--answer", help="The column with the reference answer.")
@click.option("--response", help="The column with the response, or a list of them.")
@click.option("--kind", default="math", show_default=True, help="A verifier, or the column that names one.")
@click.option("--label", help="A column that says right or wrong, to compare with.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; FILE.verified.jsonl if not said.")
@click.option("--column", default="verdict", show_default=True, help="The column to add.")
@click.option("--quiet", is_flag=True, help="No progress line.")
def verify(
    file: str,
    question: str | None,
    answer: str | None,
    response: str | None,
    kind: str,
    label: str | None,
    out: Path | None,
    column: str,
    quiet: bool,
) -> None:
    """Verify the responses in FILE, and write its rows with the verdicts beside them.

    FILE is JSONL or Parquet, here or on the Hub: hub:OWNER/NAME:PATH. A column inside of another is named with a
    dot: --answer reward_model.ground_truth.
    """
    from flows import show
    from flows.files import local
    from flows.verify import verify_file

    given = {"question": question, "answer": answer, "response": response, "label": label}

    def job() -> Any:
        with show.verifying(quiet=quiet) as watch:
            if out is None and file.startswith("hub:"):
                raise BadSetup("say --out FILE: where to write what comes from the Hub")
            return verify_file(local(file), given=given, kind=kind, out=out, column=column, watch=watch)

    report = or_one_line(job)
    show.verified(report)
    sys.exit(0 if report.decided else EXIT_NOTHING)


@click.command()
@click.argument("file")
@click.option("--rule", "rules", multiple=True, metavar="NAME[:KEY=VALUE,...]", help="A rule; may be said again.")
@click.option("--against", metavar="FOLDER", help="Benchmarks that no row may hold: JSONL or Parquet, or hub:NAME.")
@click.option(
    "--index",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Questions of earlier files, to stay away from; those that stay are added to it.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where to write what stays.")
@click.option("--question", help="The column with the question.")
@click.option("--answer", help="The column with the reference answer.")
@click.option("--response", help="The column with the response, or a list of them.")
@click.option("--reward", help="The column with a score, or a list of them, one for each response.")
@click.option("--correct", help="The column that says which responses are right.")
@click.option("--domain", help="The column with the domain.")
@click.option("--source", help="The column with the source.")
@click.option("--kind", default="math", show_default=True, help="The verifier of the answers.")
@click.option("--verdicts", is_flag=True, help="Add what was said of it to what stays, too: the column `curation`.")
@click.option("--force", is_flag=True, help="Replace what an earlier time wrote.")
@click.option("--quiet", is_flag=True, help="No progress line.")
def curate(
    file: str,
    rules: tuple[str, ...],
    against: str | None,
    index: Path | None,
    out: Path,
    kind: str,
    verdicts: bool,
    force: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Apply rules and selectors to FILE; write what stays, what goes and why, and a report.

    FILE is JSONL or Parquet, here or on the Hub: hub:OWNER/NAME:PATH.

    For example: --rule not_duplicate --rule novelty:at_most=0.6 --rule top_k:by=pass_rate,k=1000. The rules are those
    of recipes: `thoughtmill rules` lists them.
    """
    from flows import show
    from flows.curate import curate_file
    from flows.files import local

    def job() -> Any:
        with show.counting("curating", quiet=quiet) as watch:
            return curate_file(
                local(file),
                rules=rules,
                against=against,
                index=index,
                given=given,
                kind=kind,
                out=out,
                force=force,
                verdicts=verdicts,
                watch=watch,
            )

    report = or_one_line(job)
    show.curated(report)
    sys.exit(0 if report.kept else EXIT_NOTHING)
