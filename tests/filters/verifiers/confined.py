"""What the tests of confined code share."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from typing import Any

import pytest

from tests.filters.cases import DATA

# In CI a missing bubblewrap must be seen, not skipped.
needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None and "CI" not in os.environ, reason="bubblewrap is not installed"
)
HUMANEVAL = DATA / "humaneval" / "HumanEval.jsonl.gz"
needs_humaneval = pytest.mark.skipif(not HUMANEVAL.is_file(), reason="HumanEval is not in ../shared/data")


def humaneval() -> list[dict[str, Any]]:
    """The 164 problems, as published."""
    with gzip.open(HUMANEVAL, "rt") as lines:
        return [json.loads(line) for line in lines]


def reference(task: dict[str, Any], **more: Any) -> str:
    """A published problem as a reference."""
    same = {key: task[key] for key in ("entry_point", "prompt", "test")}
    return json.dumps({**same, "solution": task["canonical_solution"], **more})
