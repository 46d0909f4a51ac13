"""Which column of a person's file is what: as they say, or by the names that people usually give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.rows import BadRows, inside

# The likeliest first.
USUAL = {
    "question": (
        "question",
        "problem",
        "prompt",
        "instruction",
        "messages",
        "conversations",
        "conversation",
        "query",
        "input",
    ),
    "answer": ("answer", "reference", "ground_truth", "gold", "solution", "target", "expected"),
    "response": (
        "response",
        "responses",
        "completion",
        "completions",
        "generation",
        "generations",
        "output",
        "outputs",
    ),
    "reward": ("reward", "rewards"),
    "correct": ("correct", "is_correct", "correctness_math_verify"),
    "domain": ("domain", "category", "subject"),
    "source": ("source", "data_source", "dataset"),
    "id": ("id", "uid", "problem_id"),
}


class Finder(NamedTuple):
    """Looks for the columns of a file, of which the first rows are at hand."""

    path: Path
    names: Sequence[str]  # all columns
    rows: Sequence[Mapping[str, Any]]
    given: Mapping[str, str | None]  # by field, the column that a person named; inside of another with a dot

    def column(self, field: str, *, needed: bool = False) -> str | None:
        """The column of a field, or None where there is none. Raises BadRows where one is named or needed."""
        chosen = self.given.get(field)
        if chosen is not None:
            self._check(chosen)
            return chosen
        usual = next((each for each in USUAL.get(field, ()) if each in self.names), None)
        if needed and usual is None:
            there = ", ".join(self.names)
            raise BadRows(f"{self.path}: which column is the {field}? Say --{field} NAME; it has: {there}")
        return usual

    def _check(self, chosen: str) -> None:
        if chosen.partition(".")[0] not in self.names:
            raise BadRows(f"{self.path} has no column {chosen!r}; it has: {', '.join(self.names)}")
        if chosen not in self.names and all(inside(row, chosen) is None for row in self.rows):
            within = inside(self.rows[0], chosen.rpartition(".")[0])
            there = f"; there are: {', '.join(within)}" if isinstance(within, Mapping) else ""
            raise BadRows(f"{self.path} has nothing in {chosen!r}{there}")
