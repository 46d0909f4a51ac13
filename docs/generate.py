"""Writes the parts of the documentation that the code knows better: `make docs`, or `python -m docs.generate`.

`docs/reference.md`, `docs/methods.md` and `docs/verifiers.md` come from the tables of the code and their docstrings,
`docs/licences.md` from what the installed distributions say about themselves, and the transcript in `README.md` from
a real run in an empty folder.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from docs import licences, methods, reference, trainers, verifiers

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- transcript: written by `make docs` -->\n", "<!-- end of transcript -->\n"

COMMANDS = ["thoughtmill run cot-self-instruct --set target.accepted=20", "thoughtmill show cot-self-instruct 0"]
WIDTH = 100
SHOWN = 63  # lines of one command's output


def main() -> None:
    write(ROOT / "docs" / "reference.md", reference.render())
    write(ROOT / "docs" / "methods.md", methods.render())
    write(ROOT / "docs" / "verifiers.md", verifiers.render())
    write(ROOT / "docs" / "trainers.md", trainers.render())
    write(ROOT / "docs" / "licences.md", licences.render())
    readme = ROOT / "README.md"
    write(readme, with_transcript(readme.read_text(encoding="utf-8"), transcript()))


def write(path: Path, text: str) -> None:
    """Write a file and say so, unless it holds the text already."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


def transcript() -> str:
    """What the terminal shows when the commands are typed one after another, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        return "\n\n".join(f"$ {command}\n{_shown(_output(command, Path(folder)))}" for command in COMMANDS)


def _output(command: str, folder: Path) -> list[str]:
    arguments = [sys.executable, "-m", "flows.cli", *command.split()[1:]]
    # No THOUGHTMILL_DATA: paths in the output are then those that a reader gets. PYTHONPATH, since we are elsewhere.
    env = {"COLUMNS": str(WIDTH), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    done = subprocess.run(arguments, cwd=folder, env=env, check=True, stdout=subprocess.PIPE, text=True)
    return [line.rstrip() for line in done.stdout.splitlines()]


def _shown(lines: list[str]) -> str:
    left = len(lines) - SHOWN
    return "\n".join(lines if left <= 0 else [*lines[:SHOWN], f"[{left} more lines]"])


def with_transcript(readme: str, shown: str) -> str:
    """The README with this between its markers."""
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    return f"{before}{BEGIN}```console\n{shown}\n```\n{END}{after}"


def transcript_of(readme: str) -> str:
    """What stands between the markers of a README."""
    return readme.split(BEGIN)[1].split(END)[0].removeprefix("```console\n").removesuffix("\n```\n")


def settled(shown: str) -> str:
    """A transcript without what depends on timing: how many requests were under way when there was enough."""
    return re.sub(r"^this run: .*$", "this run: ...", shown, flags=re.MULTILINE)


if __name__ == "__main__":
    main()
