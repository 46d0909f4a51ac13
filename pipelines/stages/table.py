"""The table of stages."""

from __future__ import annotations

from pipelines.stage import Stage
from pipelines.stages.annotate import first_error, level, strategies
from pipelines.stages.appeal import appeal, check_appeal
from pipelines.stages.draw import bring, check_bring, check_draw, draw
from pipelines.stages.escalate import check_escalate, escalate
from pipelines.stages.expand import check_expand, expand
from pipelines.stages.forms import check_forms, forms
from pipelines.stages.grade import check_grade, grade
from pipelines.stages.instances import check_instances, instances
from pipelines.stages.judge import check_judge, check_prefer, check_votes, judge, prefer
from pipelines.stages.paraphrases import check_paraphrases, paraphrases
from pipelines.stages.pose import check_pose, pose
from pipelines.stages.recheck import recheck
from pipelines.stages.review import check_review, review
from pipelines.stages.score import check_likelihood, likelihood, reward
from pipelines.stages.select import select
from pipelines.stages.sift import check_sift, sift

TEACHER = {"model": "teacher", "sampling": {}}
REWARD = {"model": "reward", "sampling": {}, "prompt": "grade/response"}
JUDGE = {"model": "judge", "sampling": {}}
MATERIAL = frozenset({"material"})

STAGES: dict[str, Stage] = {
    "draw": Stage(draw, version=1, is_source=True, check=check_draw),
    "bring": Stage(bring, version=1, is_source=True, check=check_bring, says=frozenset({"given", "reward"})),
    "pose": Stage(
        pose, version=1, defaults=TEACHER, tells=frozenset({"seeds"}), check=check_pose, says=frozenset({"posed"})
    ),
    "expand": Stage(
        expand,
        version=1,
        defaults=TEACHER,
        tells=frozenset({"question"}),
        check=check_expand,
        says=frozenset({"budget"}),
    ),
    "escalate": Stage(
        escalate,
        version=1,
        defaults=TEACHER,
        tells=frozenset({"question", "attempt"}),
        check=check_escalate,
        says=frozenset({"escalated"}),
        makes=frozenset({"escalated"}),
    ),
    "sift": Stage(sift, version=1, check=check_sift),
    "forms": Stage(forms, version=1, check=check_forms, makes=frozenset({"form"})),
    "instances": Stage(
        instances,
        version=1,
        defaults=TEACHER,
        tells=frozenset({"question"}),
        check=check_instances,
        says=frozenset({"instances"}),
        makes=frozenset({"instance"}),
    ),
    "grade": Stage(
        grade,
        version=2,
        defaults=REWARD,
        tells=frozenset({"question", "response"}),
        check=check_grade,
        says=frozenset({"reward"}),
    ),
    "reward": Stage(
        reward,
        version=1,
        defaults={"model": "reward", "prompt": "solve/plain"},
        tells=frozenset({"question"}),
        says=frozenset({"reward"}),
    ),
    "likelihood": Stage(
        likelihood,
        version=1,
        defaults={"model": "scorer", "prompt": "solve/plain"},
        tells=frozenset({"question"}),
        check=check_likelihood,
        says=frozenset({"likelihood", "likelihood_gain"}),
    ),
    "judge": Stage(
        judge,
        version=1,
        defaults={**JUDGE, "prompt": "judge/task"},
        tells=MATERIAL,
        check=check_judge,
        says=frozenset({"judged"}),
    ),
    "review": Stage(review, version=1, defaults=JUDGE, tells=MATERIAL, check=check_review, says=frozenset({""})),
    "prefer": Stage(
        prefer,
        version=1,
        defaults={**JUDGE, "prompt": "judge/pair"},
        tells=MATERIAL,
        check=check_prefer,
        says=frozenset({"preferred"}),
    ),
    "level": Stage(
        level,
        version=1,
        defaults={**JUDGE, "prompt": "judge/level"},
        tells=MATERIAL,
        check=check_votes,
        says=frozenset({"judged_level"}),
    ),
    "strategies": Stage(
        strategies,
        version=1,
        defaults={**JUDGE, "prompt": "judge/strategies"},
        tells=MATERIAL,
        check=check_votes,
        says=frozenset({"judged_strategies"}),
    ),
    "first_error": Stage(
        first_error,
        version=1,
        defaults={**JUDGE, "prompt": "judge/first-error"},
        tells=MATERIAL,
        check=check_votes,
        says=frozenset({"first_error"}),
    ),
    "paraphrases": Stage(
        paraphrases,
        version=1,
        defaults={**JUDGE, "prompt": "judge/same"},
        tells=MATERIAL,
        check=check_paraphrases,
        says=frozenset({"paraphrase"}),
    ),
    "appeal": Stage(
        appeal,
        version=1,
        defaults={**JUDGE, "prompt": "judge/reference"},
        tells=MATERIAL,
        check=check_appeal,
        says=frozenset({"appeal", "audit", "control"}),
    ),
    "recheck": Stage(
        recheck, version=1, defaults={**TEACHER, "prompt": "recheck/option"}, tells=frozenset({"question", "trace"})
    ),
    "select": Stage(select, version=1),
}
