"""What keeps a run of the command line light. For processes of our own: it changes the interpreter as a whole."""

from __future__ import annotations

import gc
import importlib.abc
import sys


def lean() -> None:
    """Spend neither time nor memory on what a run does not need."""
    collect_rarely()
    spare_pandas()


def collect_rarely() -> None:
    """Facts hold no cycles, and a run makes very many of them: looking for cycles would cost a fifth of its time."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def spare_pandas() -> None:
    """Let pyarrow believe that pandas is absent, which it else imports with its first array, where it is installed.

    Nothing here uses it, and it takes half a second and 40 MB.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])  # pyarrow looks once, and remembers
    finally:
        sys.meta_path.remove(absent)


class _Absent(importlib.abc.MetaPathFinder):
    """Finds that there is no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
