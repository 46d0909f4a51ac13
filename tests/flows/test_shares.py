"""What each worker gets: a part of what an endpoint bears, or GPUs for engines of its own."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flows import make
from flows.shares import at_once, gpus_of, part
from pipelines.bind import Recipe
from pipelines.inference.engines import parse_model
from tests.small import Site


def bound(site: Site, **teacher: Any) -> Recipe:
    site.value["models"]["teacher"] = teacher
    return make.prepare(site.write())


def test_a_worker_asks_for_its_part_of_what_a_model_bears():
    model = parse_model(
        "teacher",
        {
            "use": "openai:test",
            "in_flight": 100,
            "requests_per_minute": 60,
            "endpoints": [{"url": "http://127.0.0.1:8/v1", "in_flight": 3}],
        },
    )
    shared = part(model, 8)
    assert (shared.in_flight, shared.requests_per_minute, shared.tokens_per_minute) == (12, 7.5, None)
    assert shared.endpoints == [{"url": "http://127.0.0.1:8/v1", "in_flight": 1}]
    assert shared.identity() == model.identity()


@pytest.mark.parametrize("use", ["vllm:org/model", "transformers:org/model"])
def test_an_engine_of_its_own_it_has_to_itself(use: str):
    model = parse_model("teacher", {"use": use, "in_flight": 100})
    assert part(model, 8) == model


def test_there_are_no_more_workers_than_an_endpoint_bears_requests(site: Site):
    ends = [{"url": "http://127.0.0.1:8/v1", "in_flight": 3}, {"url": "http://127.0.0.1:9/v1"}]
    assert at_once(bound(site, use="openai:test", in_flight=20, endpoints=ends), 64) == 3
    assert at_once(bound(site, use="openai:test", in_flight=20), 64) == 20
    assert at_once(bound(site, use="vllm:org/model", in_flight=20), 64) == 64


GPUS: list[tuple[int, dict[str, Any]]] = [
    (0, {"use": "openai:test"}),
    (0, {"use": "vllm:org/model@http://127.0.0.1:8/v1"}),
    (1, {"use": "vllm:org/model"}),
    (8, {"use": "vllm:org/model", "tensor_parallel_size": 4, "data_parallel_size": 2}),
    (1, {"use": "transformers:org/model"}),
    (0, {"use": "transformers:org/model", "device": "cpu"}),
]


@pytest.mark.parametrize(("gpus", "teacher"), GPUS, ids=str)
def test_a_worker_has_gpus_for_what_it_starts(gpus: int, teacher: dict[str, Any], site: Site):
    assert gpus_of(bound(site, **teacher)) == gpus


def test_roles_that_share_a_server_need_its_gpus_once(site: Site):
    site.value["models"] = {role: {"use": "vllm:org/model"} for role in ("poser", "solver")}
    site.stage("pose")["model"], site.stage("expand")["model"] = "poser", "solver"
    assert gpus_of(make.prepare(site.write())) == 1
    site.value["models"]["solver"]["dtype"] = "bfloat16"
    assert gpus_of(make.prepare(site.write())) == 2


@pytest.mark.parametrize("said", [{"devices": "0"}, {"port": 8000}], ids=str)
def test_which_gpus_or_port_a_worker_takes_is_not_for_the_recipe_to_say(said: dict[str, Any], site: Site):
    with pytest.raises(ValueError, match=re.escape(f"[models.teacher] {min(said)}: every worker starts")):
        gpus_of(bound(site, use="vllm:org/model", **said))
