"""Two versions, a Hub to publish them to, and someone who publishes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pipelines.hub import publish as ours
from pipelines.hub.layout import Layout, layout
from tests.hub_server import serving
from tests.hub_writing import WritableHub
from tests.pipelines.publishing.released import REPO, card
from tests.small import Site


@pytest.fixture(scope="session")
def versions(tmp_path_factory) -> tuple[Path, Path]:
    """Two of one dataset: v1 has the views sft and rl, v2 has more rows and sft alone. No test changes them."""
    folder = tmp_path_factory.mktemp("versions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        patch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
        (folder / "recipe").mkdir()
        site = Site(folder / "recipe")
        first = site.embedded("target.candidates=6").folder
        site.value["views"] = ["sft"]
        return first, site.embedded("target.candidates=10").folder


@pytest.fixture
def version(versions, tmp_path) -> Path:
    """The first, to be spoilt."""
    return Path(shutil.copytree(versions[0], tmp_path / "small" / "v1"))


@pytest.fixture(scope="session")
def laid(versions, tmp_path_factory) -> dict[Path, Layout]:
    """How they lie on the Hub. Made once: a test would make the same again."""
    return {folder: layout(folder, tmp_path_factory.mktemp(folder.name)) for folder in versions}


@pytest.fixture(scope="session")
def server() -> Iterator[WritableHub]:
    from huggingface_hub import close_session
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

    disable_progress_bars()
    with serving(WritableHub()) as hub:
        yield hub
        close_session()
    enable_progress_bars()


@pytest.fixture
def hub(server: WritableHub, laid, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WritableHub:
    """A Hub without anything, whose storage is plain LFS, and no token of the machine's own."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(ours, "_card", card)
    monkeypatch.setattr(ours, "layout", lambda folder, into: laid.get(folder) or layout(folder, into))
    vars(server).update(vars(WritableHub(url=server.url, cdn=server.cdn)))
    return server


@pytest.fixture
def publish(hub: WritableHub):
    return partial(ours.publish, to=REPO, token=hub.token, endpoint=hub.url, waits=())


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been slept."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken
