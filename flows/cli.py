"""The command line: run, preview, check, list, show, verify, curate, controls, losses, rules."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

# Nothing was accepted; something must be mended; the same command goes on later; a person stopped it.
EXIT_NOTHING, EXIT_BAD, EXIT_RESUMABLE, EXIT_INTERRUPTED = 1, 2, 75, 130

FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOENT}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thoughtmill")
def main() -> None:
    """Thoughtmill makes synthetic reasoning data: problems, thoughts, verified answers, and why each row is there."""


CHANGES = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="PLACE=VALUE",
    help="Change the recipe: target.accepted=50, plan=false.",
)
MODELS = click.option(
    "--model", "models", multiple=True, metavar="ROLE=ENGINE", help="Bind a role: teacher=openai:MODEL@URL."
)


@main.command()
@click.argument("recipe")
@CHANGES
@MODELS
@click.option("--name", help="The dataset to make, if not the recipe's own name.")
@click.option("--workers", type=click.IntRange(min=1), help="Shards at once; changes no fact.")
@click.option("--quiet", is_flag=True, help="No progress line.")
def run(
    recipe: str, changes: tuple[str, ...], models: tuple[str, ...], name: str | None, workers: int | None, quiet: bool
) -> None:
    """Run RECIPE until it has its rows, and write the next version of its dataset."""
    from flows import make, show
    from flows.lean import lean

    all_changes = [*changes, *_bindings(models)]

    def job() -> Any:
        if os.environ.get("PREFECT_API_URL"):  # a server is set: its UI shows the run
            return _through_prefect(recipe, all_changes, name, workers)
        lean()
        with show.progress(quiet=quiet) as watch:
            return asyncio.run(
                _interruptible(
                    lambda began: make.make(
                        recipe, changes=all_changes, dataset=name, workers=workers, watch=watch, began=began
                    )
                )
            )

    made = or_one_line(job)
    show.ledger(made)
    sys.exit(0 if made.ledger["accepted"] else EXIT_NOTHING)


@main.command()
@click.argument("recipe")
@CHANGES
@MODELS
@click.option("--rows", default=3, show_default=True, type=click.IntRange(min=1), help="How many draws.")
def preview(recipe: str, changes: tuple[str, ...], models: tuple[str, ...], rows: int) -> None:
    """Take the first draws of RECIPE through the whole line and show them, with the exact prompts."""
    from flows import make, show

    bound, shard = or_one_line(
        lambda: asyncio.run(make.preview(recipe, changes=[*changes, *_bindings(models)], rows=rows))
    )
    show.preview(bound, shard)


@main.command()
@click.argument("recipe")
@CHANGES
@MODELS
def check(recipe: str, changes: tuple[str, ...], models: tuple[str, ...]) -> None:
    """Check RECIPE, its files, prompts and models, without running anything."""
    from flows import make, show

    show.line(or_one_line(lambda: make.check(recipe, changes=[*changes, *_bindings(models)])))


@main.command(name="list")
def list_() -> None:
    """List the recipes, and the datasets with their versions."""
    from flows import show

    or_one_line(show.everything)


@main.command()
@click.argument("dataset")
@click.argument("row", required=False)
def show(dataset: str, row: str | None) -> None:
    """Show DATASET (NAME or NAME@vN), or the whole story of one ROW of it: its number, or the id of any fact."""
    from flows import show as screen

    or_one_line(lambda: screen.dataset(dataset, row))


@main.command()
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


@main.command()
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


@main.command()
@click.argument("dataset")
@click.option("--kind", required=True, help="shuffled, deleted, digits, keywords, cleaned or wrong.")
@click.option("--fraction", default=1.0, show_default=True, help="How much of each trace, or how many traces.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new Parquet file.")
def controls(dataset: str, kind: str, fraction: float, seed: int, out: Path) -> None:
    """Write a control set of DATASET (NAME or NAME@vN): its SFT rows, spoilt or cleaned in one way.

    To train beside the real rows, and see what it is that they teach. The same ids, in the same order.
    """
    from flows import show
    from pipelines.controls import write_controls

    def job() -> int:
        with refusals():
            return write_controls(show.find_version(dataset), out, kind=kind, fraction=fraction, seed=seed)

    count = or_one_line(job)
    click.echo(f"wrote {count:,} rows to {out}")
    sys.exit(0 if count else EXIT_NOTHING)


@main.command()
@click.argument("dataset")
@click.option("--model", required=True, help="A causal language model: a folder, or a name on the Hub.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new Parquet file, for the rule s2l.")
@click.option("--revision", help="Of the model.")
@click.option("--epochs", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--every", default=500, show_default=True, type=click.IntRange(min=1), help="Steps to a checkpoint.")
@click.option("--checkpoints", default=12, show_default=True, type=click.IntRange(min=1), help="At the most.")
@click.option("--length", default=512, show_default=True, type=click.IntRange(min=1), help="Tokens of a row.")
@click.option("--batch", default=8, show_default=True, type=click.IntRange(min=1))
@click.option("--rate", default=2e-5, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress line.")
def losses(dataset: str, out: Path, checkpoints: int, quiet: bool, **given: Any) -> None:
    """Train a small model on DATASET (NAME or NAME@vN), and write its loss on every row at every checkpoint.

    What runs alike is learnt alike: the rule s2l chooses by it (S2L, arXiv 2403.07384). Needs thoughtmill[trainers].
    """
    from functools import partial

    from flows import show
    from pipelines.proxy import losses_of_dataset, train_proxy

    def job() -> Any:
        with show.counting("training", quiet=quiet) as tell, refusals():
            train = partial(train_proxy, most=checkpoints, watch=lambda now: tell(now.line), **given)
            return losses_of_dataset(show.find_version(dataset), out, train=train)

    made = or_one_line(job)
    click.echo(f"wrote the losses of {len(made.ids):,} problems at steps {', '.join(map(str, made.steps))} to {out}")
    if len(made.steps) < 3:
        click.echo("so few checkpoints tell little: say a lower --every", err=True)


@main.command(name="rules")
def rules_() -> None:
    """List the rules, with their parameters."""
    from flows import show

    show.rules()


def _bindings(models: tuple[str, ...]) -> list[str]:
    return [f"models.{binding}" for binding in models]


def _through_prefect(recipe: str, changes: list[str], name: str | None, workers: int | None) -> Any:
    """Run as a Prefect flow. Raises BadSetup where Prefect is not installed, or its server not there."""
    url = os.environ["PREFECT_API_URL"]
    try:
        from flows.mill import mill
    except ModuleNotFoundError as error:
        raise BadSetup(
            f"PREFECT_API_URL is set, but there is no module {error.name!r}: install thoughtmill[flows], or unset it"
        ) from error
    try:
        return asyncio.run(mill(recipe, changes, name, workers))
    except RuntimeError as error:
        if "Failed to reach API" not in str(error):
            raise
        raise BadSetup(f"no Prefect server answers at {url}: start one, or unset PREFECT_API_URL") from error


class BadSetup(Exception):
    """Something is not installed that this command needs."""


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What refuses its arguments with a ValueError says in one line how to mend them."""
    try:
        yield
    except ValueError as error:
        raise BadSetup(str(error)) from error


async def _interruptible(start: Callable[[Callable[[Any], None]], Any]) -> Any:
    """Run; the first Ctrl-C lets what is under way finish, the second ends at once. Nothing is lost either way."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    mills: list[Any] = []

    def interrupt() -> None:
        if mills and not mills[0].interrupted:
            mills[0].interrupt()
        elif task:
            task.cancel()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, interrupt)
    return await start(mills.append)


def or_one_line(job: Callable[[], Any]) -> Any:
    """The result of `job`, or one clear line and an exit status for everything that a person can mend."""
    from filters.verifiers import Unable
    from flows.make import Interrupted
    from flows.run import Busy
    from flows.show import NotThere
    from pipelines.inference.engine import Misconfigured, Outage
    from pipelines.recipe import BadRecipe
    from pipelines.rows import BadRows
    from pipelines.store import DiskFull

    go_on = "run the same command again to go on"
    try:
        return job()
    except (BadRecipe, BadRows, BadSetup, Busy, Misconfigured, NotThere, Unable) as error:
        told, status = str(error), EXIT_BAD
    except (Outage, DiskFull) as error:
        told, status = f"{error}. R{go_on[1:]}", EXIT_RESUMABLE
    except OSError as error:
        if not (error.errno in FULL or (error.errno in FORBIDDEN and error.filename)):
            raise
        where = f" ({error.filename})" if error.filename else ""
        told, status = f"cannot write: {error.strerror}{where}", EXIT_RESUMABLE if error.errno in FULL else EXIT_BAD
    except Interrupted as error:
        told, status = f"{error}; {go_on}", EXIT_INTERRUPTED
    except (asyncio.CancelledError, KeyboardInterrupt):
        told, status = f"stopped; {go_on}", EXIT_INTERRUPTED
    # Only here, where nothing holds on any more to what the error went through.
    _fail(told, status)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"thoughtmill: {message}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
