"""An engine that a run starts itself: each worker has one of its own, on GPUs of its own, for as long as the run."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from flows import make
from flows.exits import BadSetup
from flows.ray import on_ray
from flows.runners import chosen
from tests.pipelines.inference.test_managed import FAKE, gone, wait_for
from tests.small import Site
from tests.with_ray.conftest import WHY

pytest.importorskip("ray", reason=WHY)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),
    pytest.mark.usefixtures("cluster"),
]

# What stands for a Python with vLLM: says which GPUs it may see, and serves once as many have said so.
SERVER = """#!/bin/sh
[ "$1" = -c ] && exec '{python}' -I -S '{fake}' "$@" gpu
echo "$CUDA_VISIBLE_DEVICES" >> '{folder}/gpus'
for i in $(seq 600); do [ $(wc -l < '{folder}/gpus') -ge {engines} ] && break; sleep 0.1; done
exec '{python}' -I -S '{fake}' "$@" --pids '{folder}/pids'
"""


def served(site: Site, folder: Path, *, engines: int) -> str:
    """The recipe of a site, on engines that the run starts; each answers when there are so many."""
    script = folder / "python"
    script.write_text(SERVER.format(python=sys.executable, fake=FAKE, folder=folder, engines=engines))
    script.chmod(0o755)
    site.value["models"]["teacher"].update(use="vllm:org/model", python=str(script), in_flight=4)
    site.value["shard"] = 1
    return site.write()


def gpus(folder: Path) -> list[str]:
    return sorted((folder / "gpus").read_text().split())


def test_each_worker_has_an_engine_on_a_gpu_of_its_own_until_the_run_ends(site: Site, tmp_path: Path):
    path = served(site, tmp_path, engines=2)
    with chosen(make.prepare(path), "ray", workers=2) as there:
        made = asyncio.run(make.make(path, run_shard=there.run_shard, workers=there.window))
        assert gpus(tmp_path) == ["0", "1"]
        assert not gone(tmp_path)
    wait_for(lambda: gone(tmp_path))
    assert made.ledger["candidates"] == 24
    assert made.counts["sent"] > 0
    assert made.spent["gpu_hours"] > 0


def test_there_are_as_many_workers_as_gpus(site: Site, tmp_path: Path):
    """A worker whose engine takes both GPUs is the only one, though there are two processors."""
    path = served(site, tmp_path, engines=1)
    with chosen(make.prepare(path, changes=["models.teacher.tensor_parallel_size=2"]), "ray") as there:
        asyncio.run(make.make(path, run_shard=there.run_shard, workers=there.window))
    assert gpus(tmp_path) == ["0,1"]


def test_engines_that_no_machine_has_gpus_for_are_refused():
    with (
        pytest.raises(
            BadSetup, match="the engines of a worker take 3 GPUs; no machine of the cluster has more than 2"
        ),
        on_ray(gpus=3),
    ):
        pass
