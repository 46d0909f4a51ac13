"""The table of stages."""

from __future__ import annotations

from pipelines.stage import Stage
from pipelines.stages.draw import bring, draw
from pipelines.stages.expand import expand
from pipelines.stages.grade import grade
from pipelines.stages.pose import pose
from pipelines.stages.select import select
from pipelines.stages.sift import sift

TEACHER = {"model": "teacher", "sampling": {}}
JUDGE = {"model": "reward", "sampling": {}, "prompt": "grade/response"}

STAGES: dict[str, Stage] = {
    "draw": Stage(draw, version=1, is_source=True),
    "bring": Stage(bring, version=1, is_source=True),
    "pose": Stage(pose, version=1, defaults=TEACHER, tells=frozenset({"seeds"})),
    "expand": Stage(expand, version=1, defaults=TEACHER, tells=frozenset({"question"})),
    "sift": Stage(sift, version=1),
    "grade": Stage(grade, version=1, defaults=JUDGE, tells=frozenset({"question", "response"})),
    "select": Stage(select, version=1),
}
