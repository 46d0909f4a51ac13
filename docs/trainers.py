"""How each trainer loads a dataset: the contracts that formats keep, and the commands that their folders tell."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from pipelines.formats.rows import Format, Made, kind_of
from pipelines.formats.table import CONSUMERS
from pipelines.views.table import VIEWS

HEAD = """\
# Trainers

Written by `make docs` from `pipelines/formats/`; do not edit it by hand.

```sh
thoughtmill run cot-self-instruct --set target.accepted=20
thoughtmill export cot-self-instruct --view rl --to trl --split 0.1 --out squares
```

writes a view of the latest version (`NAME@vN` for another), in the columns that TRL reads, into the new folder
`squares`: `train.parquet`, `test.parquet`, and a `README.md` with the command that trains on it. Any view can be
exported, whether the recipe wrote it or not.

- **Nothing is dropped where nobody sees it.** A row that a trainer cannot take is left out, and the `README.md`
  counts it under its reason: most loaders would skip it, or stop in the middle of a run.
- **`--split` holds out problems, not rows.** Which ones depends on their ids and on `--seed` alone: every view of
  every version holds out the same, and a question that was asked twice is on one side.
- **Rewards are the verifiers that gated the data.** Where a trainer takes a function, the folder has it; it needs
  this package in the trainer's environment, with the extras of the verifiers (`math`, ...), and no more of it.
- Parquet has plain types and no metadata of `datasets`, so that any version of it reads them.

```python
from datasets import load_dataset

from filters.rewards import verified

rows = load_dataset("parquet", data_files="squares/train.parquet", split="train")
first = rows[0]
said = [[{"role": "assistant", "content": f"So it is \\\\boxed{{{first['answer']}}}."}]]
print(verified(said, answer=[first["answer"]], verifier=[first["verifier"]]))  # [1.0]
```
"""

EXAMPLE = {"train": 18, "test": 2}
LONGEST = 1_200


def render() -> str:
    """The text of docs/trainers.md."""
    return "\n".join([HEAD, _overview(), *(_section(to, kinds) for to, kinds in CONSUMERS.items())])


def _overview() -> str:
    kinds = {name: kind_of(view.schema().names) for name, view in VIEWS.items()}
    rows = [
        f"| `{name}` | {VIEWS[name].about} | {', '.join(f'`{to}`' for to in CONSUMERS if kind in CONSUMERS[to])} |"
        for name, kind in kinds.items()
    ]
    return "\n".join(["| view | a row is | `--to` |", "|---|---|---|", *rows, ""])


def _section(to: str, kinds: Mapping[str, Format]) -> str:
    module = inspect.getmodule(_any(kinds).training)
    first = next(name for name, each in CONSUMERS.items() if inspect.getmodule(_any(each).training) is module)
    about = inspect.getdoc(module) or "" if first == to else f"What counts is said under [{first}](#{first})."
    columns = "\n".join(
        f"| {_views(kind)} | {entry.reader} | `train.{entry.file}` | {_columns(entry)} |"
        for kind, entry in kinds.items()
    )
    table = f"| view | read by | file | columns |\n|---|---|---|---|\n{columns}"
    return "\n\n".join([f"## {to}", about, table, *_trainings(kinds)]) + "\n"


def _any(kinds: Mapping[str, Format]) -> Format:
    return next(iter(kinds.values()))


def _trainings(kinds: Mapping[str, Format]) -> list[str]:
    """How to train on each view; once, where several are trained on alike."""
    told: dict[str, list[str]] = {}
    for kind, entry in kinds.items():
        example = _names(kind)[0]
        text = entry.training(Made("squares@v1", example, EXAMPLE, LONGEST)).strip()
        told.setdefault(text, []).extend(_names(kind))
    return [f"### {', '.join(f'`{name}`' for name in names)}\n\n{text}" for text, names in told.items()]


def _names(kind: str) -> list[str]:
    return [name for name, view in VIEWS.items() if kind_of(view.schema().names) == kind]


def _views(kind: str) -> str:
    return ", ".join(f"`{name}`" for name in _names(kind))


def _columns(entry: Format) -> str:
    return ", ".join(f"`{name}`" for name in entry.schema().names)
