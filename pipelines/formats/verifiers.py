"""verifiers (Prime Intellect): an environment that loads its own rows.

The documentation of version 0 (docs.primeintellect.ai/verifiers, 2026): `prompt` as messages, `answer` as text, and
`info` as JSON text, which the environment parses; `task` routes between environments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.formats.rows import Format, Made, Row, columns, each, messages, pick
from pipelines.records import to_json

if TYPE_CHECKING:
    import pyarrow as pa


def rl(row: Row) -> Row:
    info = to_json(pick(row, "verifier", "problem_id", "domain", "pass_rate", "pair_id"))
    return {"prompt": row["prompt"], "answer": row["answer"], "info": info, "task": row["verifier"]}


def rl_schema() -> pa.Schema:
    """One row for each problem; `info` is JSON text. Tasks of judging that belong together have one `pair_id`."""
    import pyarrow as pa

    return columns(prompt=messages(), answer=pa.string(), info=pa.string(), task=pa.string())


def environment_file(made: Made) -> Mapping[str, str]:
    return {"environment.py": ENVIRONMENT}


ENVIRONMENT = '''"""The dataset with the verifiers that gated it, as an environment of `verifiers`."""

from pathlib import Path

import verifiers as vf
from datasets import load_dataset

from filters.rewards import reward


def verified(completion, answer, info):
    return reward(info["verifier"], answer, completion) or 0.0


def load_environment():
    files = str(Path(__file__).with_name("train.parquet"))
    rows = load_dataset("parquet", data_files=files, split="train")
    return vf.SingleTurnEnv(dataset=rows, rubric=vf.Rubric(funcs=[verified]))
'''


def rl_training(made: Made) -> str:
    """How the environment is used."""
    return """`environment.py` has `load_environment`, as `vf-eval` and `prime` expect it: put the folder among your
environments. An answer that could not be decided is worth 0.0 there.
"""


FORMATS = {"rl": Format("load_environment", each(rl), rl_schema, rl_training, extra=environment_file)}
