"""What no purge reaches, in words for whoever has to see to it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path

from pipelines.forget import seed_files
from pipelines.merge import entries, frames
from pipelines.tombstones import Tombstones

ALWAYS = (
    "what was exported: thoughtmill export again, and give the new files to whoever has the old ones",
    "what was published: thoughtmill publish a version made from now on, and delete the older tags and commits"
    " on the Hub (they are kept there until somebody does)",
    "copies and backups of this folder",
)
OF_STORES = (
    "older copies of objects, where the store keeps such (S3: versioning), and backups of it",
    "other data folders of the store: each takes it out of its own copies when a run next opens it",
)


def beyond_reach(data: Path, stones: Tombstones, keys: Set[bytes]) -> list[str]:
    """`keys` are the requests whose replies leave the journal."""
    return [*_held(data / "journal", keys), *_seeds(data, stones), *_notes(data), *ALWAYS]


def _held(journal: Path, keys: Set[bytes]) -> Iterator[str]:
    """Segments that still hold a reply of it, since another process appends to them, or may."""
    elsewhere = [path for path in journal.glob("elsewhere/*.log") if not path.with_suffix(".idx").exists()]
    for path in sorted([*journal.glob("*.log"), *elsewhere]) if keys else ():
        if any(entry.key in keys for frame in frames(path) for entry in entries(frame)):
            who = "another data folder may still append to" if path in elsewhere else "a process still holds"
            yield f"{path}: {who} this part of the journal; purge again when it has ended"


def _seeds(data: Path, stones: Tombstones) -> Iterator[str]:
    """Files of seeds that still hold it."""
    for rows in seed_files(data):
        texts = ((rows.text(i, "question") or "", rows.text(i, "source")) for i in range(len(rows)))
        found = [i for i, (question, source) in enumerate(texts) if stones.cover_text(question, source)]
        if found:
            yield (
                f"{rows.where(found[0])}: the seeds still hold it ({len(found):,} rows); no run draws them any more,"
                " and without those rows the draws begin anew"
            )


def _notes(data: Path) -> Iterator[str]:
    """What people wrote about rows, and what engines logged: neither says of which row a line is."""
    for folder, what in ((data / "marks", "marks and notes of people"), (data / "runs" / "engines", "engines' logs")):
        if folder.is_dir() and any(folder.iterdir()):
            yield f"{folder}: {what} may quote it"
