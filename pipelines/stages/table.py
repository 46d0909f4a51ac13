"""The table of stages."""

from __future__ import annotations

from pipelines.stage import Stage
from pipelines.stages.draw import bring, check_bring, check_draw, draw
from pipelines.stages.expand import check_expand, expand
from pipelines.stages.grade import check_grade, grade
from pipelines.stages.pose import check_pose, pose
from pipelines.stages.select import select
from pipelines.stages.sift import sift

TEACHER = {"model": "teacher", "sampling": {}}
JUDGE = {"model": "reward", "sampling": {}, "prompt": "grade/response"}

STAGES: dict[str, Stage] = {
    "draw": Stage(draw, version=1, is_source=True, check=check_draw),
    "bring": Stage(bring, version=1, is_source=True, check=check_bring),
    "pose": Stage(pose, version=1, defaults=TEACHER, tells=frozenset({"seeds"}), check=check_pose),
    "expand": Stage(expand, version=1, defaults=TEACHER, tells=frozenset({"question"}), check=check_expand),
    "sift": Stage(sift, version=1),
    "grade": Stage(grade, version=1, defaults=JUDGE, tells=frozenset({"question", "response"}), check=check_grade),
    "select": Stage(select, version=1),
}
