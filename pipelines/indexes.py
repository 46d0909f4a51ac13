"""Indexes of questions that lie beside a dataset and grow with its versions.

    data/datasets/NAME/near_duplicates/3-grams-128/*.arrow

One is kept for each scheme of the rule `not_near_duplicate` in a recipe. It holds every question that any version
accepted, so that another recipe, or `thoughtmill curate`, keeps away from all of them without reading a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from filters.near_duplicates import Scheme, grow
from pipelines.stage import Step
from pipelines.store import connect

ACCEPTED = (
    "select p.question from problems p join (select unnest(subjects) as id from verdicts"
    " where rule = 'accepted@1' and status = 'pass') v on p.id = v.id order by p.draw"
)
AT_ONCE = 10_000  # questions in memory


def grow_indexes(version: Path, steps: Iterable[Step]) -> None:
    """Add the accepted questions of a version to the indexes beside it. Doing so again adds nothing."""
    for ngram, permutations, threshold in dict.fromkeys(_schemes(steps)):
        folder = version.parent / "near_duplicates" / f"{ngram}-grams-{permutations}"
        grow(folder, _accepted(version), threshold=threshold, scheme=Scheme(ngram, permutations))


def _schemes(steps: Iterable[Step]) -> Iterator[tuple[int, int, float]]:
    for step in steps:
        for each in step.parameters.get("rules", ()):
            if each.name == "not_near_duplicate":
                yield each.parameters["ngram"], each.parameters["permutations"], each.parameters["at_most"]


def _accepted(version: Path) -> Iterator[str]:
    with connect([version / "facts"]) as connection:
        found = connection.execute(ACCEPTED)
        while some := found.fetchmany(AT_ONCE):
            yield from (question for (question,) in some)
