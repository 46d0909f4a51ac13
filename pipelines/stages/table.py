"""The table of stages."""

from __future__ import annotations

from pipelines.stage import Stage
from pipelines.stages.agree import agree, check_agree
from pipelines.stages.annotate import check_domain, domain, first_error, level, strategies, verbosity
from pipelines.stages.appeal import appeal, check_appeal
from pipelines.stages.compose import check_compose, check_key_numbers, compose, key_numbers
from pipelines.stages.contrast import check_contrast, contrast
from pipelines.stages.cross import check_cross, cross
from pipelines.stages.derive import KINDS, check_derive, derive
from pipelines.stages.draw import bring, check_bring, check_draw, draw
from pipelines.stages.episode import check_episode, episode
from pipelines.stages.escalate import check_escalate, escalate
from pipelines.stages.expand import check_expand, expand
from pipelines.stages.forms import check_forms, forms
from pipelines.stages.go_on import check_go_on, go_on
from pipelines.stages.grade import check_grade, grade
from pipelines.stages.guided import check_guided, guided
from pipelines.stages.instances import check_instances, instances
from pipelines.stages.judge import check_judge, check_prefer, check_votes, judge, prefer
from pipelines.stages.options import check_options, options
from pipelines.stages.paraphrases import check_paraphrases, paraphrases
from pipelines.stages.pose import check_pose, pose
from pipelines.stages.recheck import recheck
from pipelines.stages.retro import KIND as SEARCH
from pipelines.stages.retro import check_retro, retro
from pipelines.stages.review import check_review, review
from pipelines.stages.revise import check_revise, revise
from pipelines.stages.score import check_likelihood, likelihood, reward
from pipelines.stages.select import select
from pipelines.stages.sift import check_sift, sift
from pipelines.stages.vary import check_vary, vary

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
    "key_numbers": Stage(
        key_numbers,
        version=1,
        defaults={**JUDGE, "prompt": "judge/key-number"},
        tells=MATERIAL,
        check=check_key_numbers,
        says=frozenset({"key_number"}),
    ),
    "compose": Stage(
        compose, version=1, check=check_compose, says=frozenset({"composed"}), makes=frozenset({"single"})
    ),
    "expand": Stage(
        expand,
        version=1,
        defaults=TEACHER,
        tells=frozenset({"question"}),
        check=check_expand,
        says=frozenset({"budget"}),
    ),
    "episode": Stage(episode, version=1, defaults=TEACHER, tells=frozenset({"question"}), check=check_episode),
    "escalate": Stage(
        escalate,
        version=2,
        defaults=TEACHER,
        tells=frozenset({"question", "attempt"}),
        check=check_escalate,
        says=frozenset({"escalated"}),
        makes=frozenset({"escalated"}),
    ),
    "options": Stage(options, version=1, check=check_options, says=frozenset({"one_key"})),
    "go_on": Stage(go_on, version=1, defaults=TEACHER, tells=frozenset({"question"}), check=check_go_on),
    "agree": Stage(
        agree,
        version=1,
        defaults={**JUDGE, "prompt": "judge/agrees"},
        tells=MATERIAL,
        check=check_agree,
        says=frozenset({"thought_leads"}),
    ),
    "guided": Stage(
        guided,
        version=1,
        defaults={**TEACHER, "prompt": "think/guided", "plainly": "think/plain"},
        tells=frozenset({"question", "guidance"}),
        check=check_guided,
    ),
    "sift": Stage(sift, version=1, check=check_sift),
    "instances": Stage(
        instances,
        version=1,
        defaults=TEACHER,
        tells=frozenset({"question"}),
        check=check_instances,
        says=frozenset({"instances"}),
        makes=frozenset({"instance"}),
    ),
    "forms": Stage(forms, version=1, check=check_forms, says=frozenset({"asked_form"}), makes=frozenset({"form"})),
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
        version=2,
        defaults={**JUDGE, "prompt": "judge/task"},
        tells=MATERIAL,
        check=check_judge,
        says=frozenset({"judged"}),
    ),
    "review": Stage(review, version=1, defaults=JUDGE, tells=MATERIAL, check=check_review, says=frozenset({""})),
    "prefer": Stage(
        prefer,
        version=2,
        defaults={**JUDGE, "prompt": "judge/pair"},
        tells=MATERIAL,
        check=check_prefer,
        says=frozenset({"preferred"}),
    ),
    "contrast": Stage(
        contrast,
        version=1,
        defaults={
            "prompt": ["judge/pair-verdict", "judge/pair-scores", "judge/pair-both"],
            "single": ["judge/score"],
            "forms": ["pair", "single"],
        },
        tells=MATERIAL,
        check=check_contrast,
        says=frozenset({"contrasted"}),
        makes=frozenset({"judgement"}),
    ),
    "vary": Stage(
        vary,
        version=1,
        defaults={**TEACHER, "prompt": "vary/instruction"},
        tells=frozenset({"question"}),
        check=check_vary,
        says=frozenset({"varied"}),
        makes=frozenset({"vary", "varied"}),
    ),
    "level": Stage(
        level,
        version=1,
        defaults={**JUDGE, "prompt": "judge/level"},
        tells=MATERIAL,
        check=check_votes,
        says=frozenset({"judged_level"}),
    ),
    "domain": Stage(
        domain,
        version=1,
        defaults={**JUDGE, "prompt": "annotate/domain"},
        tells=MATERIAL,
        check=check_domain,
        says=frozenset({"judged_domain"}),
    ),
    "verbosity": Stage(
        verbosity,
        version=1,
        defaults={**JUDGE, "prompt": "annotate/verbosity"},
        tells=MATERIAL,
        check=check_votes,
        says=frozenset({"judged_verbosity"}),
    ),
    "strategies": Stage(
        strategies,
        version=2,
        defaults={**JUDGE, "prompt": "judge/strategies"},
        tells=MATERIAL,
        check=check_votes,
        says=frozenset({"judged_strategies"}),
    ),
    "first_error": Stage(
        first_error,
        version=2,
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
    "derive": Stage(
        derive,
        version=1,
        defaults=TEACHER,
        tells=frozenset({"question"}),
        check=check_derive,
        makes=frozenset(KINDS),
    ),
    "cross": Stage(cross, version=2, check=check_cross, says=frozenset({"runs", "kills"})),
    "revise": Stage(
        revise,
        version=1,
        defaults=TEACHER,
        tells=frozenset({"question", "attempt", "feedback"}),
        check=check_revise,
        says=frozenset({"repaired"}),
        makes=frozenset({"revision"}),
    ),
    "retro": Stage(
        retro,
        version=1,
        defaults={"model": "reviser", "sampling": {}},
        tells=frozenset({"question"}),
        check=check_retro,
        says=frozenset({"revised"}),
        makes=frozenset({SEARCH}),
    ),
    "select": Stage(select, version=1),
}
