"""Commands for datasets that were made: show, browse, versions, diff, rollback, export, publish, controls, losses."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from flows.exits import EXIT_NOTHING, BadSetup, or_one_line, refusals


@click.command()
@click.argument("dataset")
@click.argument("row", required=False)
@click.option("--full", is_flag=True, help="Fold no long text.")
@click.option("--attempt", "attempts", multiple=True, type=int, metavar="N", help="Print this attempt whole, too.")
@click.option("--diff", "pair", metavar="A,B", help="Two attempts side by side.")
def show(dataset: str, row: str | None, full: bool, attempts: tuple[int, ...], pair: str | None) -> None:
    """Show DATASET (NAME or NAME@vN), or the whole story of one ROW of it.

    ROW is the number of an accepted row, draw:N for any candidate, or the id of any fact (8 digits of it will do).
    """
    from flows import show as screen
    from flows import story

    def job() -> None:
        if row is None and (full or attempts or pair):
            raise click.UsageError("--full, --attempt and --diff are about a ROW: say which")
        folder = screen.find_version(dataset)
        if row is None:
            screen.dataset(folder, dataset)
            return
        with refusals():
            story.show(folder, row, full=full, attempts=attempts, diff=_two(pair) if pair else None)

    or_one_line(job)


def _two(pair: str) -> tuple[int, int]:
    """The two numbers of A,B. Raises ValueError."""
    first, _, second = pair.partition(",")
    if not (first.strip().isdigit() and second.strip().isdigit()):
        raise ValueError(f"--diff takes the numbers of two attempts, as in --diff 1,2, and not {pair!r}")
    return int(first), int(second)


PAGE = ("starlette", "uvicorn", "jinja2", "latex2mathml", "pygments")  # what the extra `browse` brings


@click.command()
@click.argument("dataset", required=False)
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 is any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Who can see it: by default this machine alone.")
@click.option("--open/--no-open", "opened", default=True, help="Open it in the browser.")
def browse(dataset: str | None, port: int, host: str, opened: bool) -> None:
    """Look at DATASET in the browser: a local page of where every row went, and why.

    DATASET is NAME, NAME@vN, run:NAME (it may still go on), a Parquet file or folder, or hub:OWNER/NAME:PATH.
    Without it, the page begins with the list of what there is.
    """
    import webbrowser

    from pipelines.store import data_folder

    def ready(url: str) -> None:
        if port and f":{port}" not in url:
            click.echo(f"port {port} is taken", err=True)
        click.echo(f"{url}  (Ctrl-C ends it)")
        if opened:
            webbrowser.open(url)

    def job() -> None:
        if missing := [package for package in PAGE if find_spec(package) is None]:
            raise BadSetup(f"there is no module {missing[0]!r}: install thoughtmill[browse]")
        from pipelines.browse.server import serve

        with refusals():
            serve(data_folder(), dataset, host=host, port=port, ready=ready)

    or_one_line(job)


@click.command()
@click.argument("dataset")
def pull(dataset: str) -> None:
    """Fetch DATASET (NAME, its newest version, or NAME@vN) from the store, to look at it or export it here."""
    from flows import housekeeping

    def job() -> None:
        with refusals():
            housekeeping.pull(dataset)

    or_one_line(job)


@click.command()
@click.argument("dataset", required=False)
def versions(dataset: str | None) -> None:
    """List the versions of DATASET, or of all: their rows, and what changed from one to the next."""
    from flows import versions as screen

    or_one_line(lambda: screen.versions(dataset))


@click.command()
@click.argument("old")
@click.argument("new")
def diff(old: str, new: str) -> None:
    """Tell what changed from OLD to NEW (NAME@vN both): rows, verdicts, thresholds, recipe and prompts."""
    from flows import versions as screen

    or_one_line(lambda: screen.diff(old, new))


@click.command()
@click.argument("dataset")
@click.argument("version")
def rollback(dataset: str, version: str) -> None:
    """Make VERSION (vN) the one that DATASET means, until the next is made. Nothing is deleted."""
    from flows import versions as screen

    or_one_line(lambda: screen.rollback(dataset, version))


@click.command()
@click.argument("dataset")
@click.option("--view", required=True, help="What to export: sft, rl, preference, ...")
@click.option("--to", "consumer", required=True, help="Who loads it: trl, verl, open-instruct, ...")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option(
    "--split", default=0.0, show_default=True, type=click.FloatRange(0, 0.9), help="Share of items to test on."
)
@click.option("--seed", default=0, show_default=True, help="Of the split.")
def export(dataset: str, view: str, consumer: str, out: Path, split: float, seed: int) -> None:
    """Write a view of DATASET (NAME or NAME@vN) as a trainer loads it, with what else it needs beside it."""
    from flows import show
    from pipelines.export import export as write
    from pipelines.views.table import VIEWS

    def job() -> Any:
        with refusals():
            made = write(show.find_version(dataset), out, view=view, to=consumer, split=split, seed=seed)
            if not made.rows:
                shutil.rmtree(out)
                why = "; ".join(f"{count:,} left out: {reason}" for reason, count in made.left_out.items())
                raise BadSetup(f"{dataset} has no rows of {view} for {consumer}: {why or VIEWS[view].about}")
            return made

    show.exported(or_one_line(job))


@click.command()
@click.argument("dataset")
@click.option(
    "--to", "repo", required=True, metavar="ORG/REPO", help="The dataset on the Hub; made if it is not there."
)
@click.option("--private/--public", default=None, help="Of a new one; private if not said.")
@click.option("--quiet", is_flag=True, help="No progress line.")
def publish(dataset: str, repo: str, private: bool | None, quiet: bool) -> None:
    """Publish DATASET (NAME or NAME@vN) on the Hub: a version is one commit and one tag.

    The token is that of HF_TOKEN or of `hf auth login`.
    """
    from flows import show
    from pipelines.hub.publish import publish as send

    if quiet or not sys.stderr.isatty():  # huggingface_hub's own bars; read when it is imported
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

    def job() -> Any:
        with show.counting("publishing", quiet=quiet) as watch, refusals():
            return send(show.find_version(dataset), to=repo, private=private, watch=watch)

    show.published(or_one_line(job))


@click.command()
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


@click.command()
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
