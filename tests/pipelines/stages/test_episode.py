"""Episodes: what is asked of whom, what the environment answers, and what is posed of it. No sandbox in here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from filters.tasks import failure_cases, reference_of
from pipelines.records import Attempt, Problem, Turn, problem, to_json
from pipelines.rows import BadRows
from pipelines.stages.episode import check_episode
from pipelines.stages.pose import check_pose
from pipelines.store import Output
from prompts.template import load
from tests.pipelines.stages.bench import Bench, Instantly, answered, posed

ROOM = "def start():\n    return Room()"
TASK = {"entry_point": "solve", "setup": ROOM, "test": "def check(candidate):\n    assert candidate()"}
SEED = problem(
    parents=(), stage="seed@1", draw=None, kind="seed", question="A room. Tools:\n- look()", answer=to_json(TASK)
)
DRAW = problem(parents=[SEED.id], stage="draw@1", draw=0, kind="pose", question=f"Seed question 1:\n{SEED.question}")
LOOK, OPEN = '["look", {}]', '["open", {"what": "door"}]'


class Rooms:
    """Stands for the sandbox, and remembers what was played in it."""

    def __init__(self) -> None:
        self.played_in: list[tuple[str, list[str]]] = []

    async def played(self, environment: str, calls: Sequence[str]) -> tuple[bytes, list[str]]:
        self.played_in.append((environment, list(calls)))
        return b"key", [f'"result {place} of {call}"' for place, call in enumerate(calls)]


def calling(*calls: str) -> str:
    return "\n".join(["I try.", "", "```calls", *calls, "```"])


def worked(
    folder: Path, *said: str | dict[str, Any], of: Problem = DRAW, **given: Any
) -> tuple[Output, Bench, Rooms]:
    """What comes of an episode in which the model says these, in turn."""
    rooms, turn = Rooms(), iter(said)
    bench = Bench(folder, cast(Instantly, rooms))
    output = bench.run(
        "episode",
        says=lambda message, sample: next(turn),
        problems=[of],
        beside=[SEED, DRAW],
        attempts=[answered(DRAW, "posed", sample=0)],
        **{"prompt": "explore/tools", **given},
    )
    return output, bench, rooms


def test_calls_are_answered_until_a_message_makes_none(tmp_path: Path) -> None:
    output, bench, rooms = worked(tmp_path, calling(LOOK), calling(OPEN, LOOK), "I have seen enough.")
    [attempt] = output.facts.attempts
    assert rooms.played_in == [(ROOM, [LOOK]), (ROOM, [LOOK, OPEN, LOOK])], "all of it, in a fresh one"
    assert [turn.role for turn in attempt.turns] == ["user", "assistant", "user", "assistant", "user", "assistant"]
    assert attempt.text == "I have seen enough."
    second = attempt.turns[4].content or ""
    assert "result 0" not in second
    assert f"result 1 of {OPEN}" in second
    assert f"result 2 of {LOOK}" in second
    sent = [turn["content"] for turn in bench.client.askings[-1].messages]
    assert sent == [turn.content for turn in attempt.turns[:-1]], "what it was sent is what the attempt holds"
    assert output.live == [DRAW.id]
    first, played, *_, last = attempt.request.split()
    assert len({first, last}) == 2, "all that it was made of is named, so that it is kept, or forgotten"
    assert bytes.fromhex(played) == b"key"


def test_the_last_message_makes_no_calls_and_is_told_so(tmp_path: Path) -> None:
    output, _, rooms = worked(tmp_path, calling(LOOK), calling(OPEN), turns=2)
    [attempt] = output.facts.attempts
    assert len(rooms.played_in) == 1
    assert "Your next message is the last" in (attempt.turns[2].content or "")
    assert attempt.finish == "stop"


ENDS = {"cut": ("length", "length"), "refused": ("content_filter", "refused")}


@pytest.mark.parametrize("name", ENDS)
def test_a_message_that_never_came_to_its_end_ends_the_episode(name: str, tmp_path: Path) -> None:
    reason, finish = ENDS[name]
    cut = {"choices": [{"message": {"content": calling(OPEN)}, "finish_reason": reason}]}
    output, _, rooms = worked(tmp_path, calling(LOOK), cut)
    assert [each.finish for each in output.facts.attempts] == [finish]
    assert len(rooms.played_in) == 1


def test_thoughts_are_kept_and_not_sent_again_and_costs_are_those_of_all_messages(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 3}
    said = [
        {"choices": [{"message": {"content": f"<think>\nHm.\n</think>\n\n{text}"}}], "usage": usage}
        for text in (calling(LOOK), "Done.")
    ]
    output, bench, _ = worked(tmp_path, *said)
    [attempt] = output.facts.attempts
    assert [turn.reasoning for turn in attempt.turns] == [None, "Hm.", None, "Hm."]
    assert "Hm." not in str(bench.client.askings[-1].messages)
    assert (attempt.prompt_tokens, attempt.completion_tokens) == (20, 6)


def test_samples_are_independent(tmp_path: Path) -> None:
    output, bench, _ = worked(tmp_path, *["Done."] * 3, n=3)
    assert [each.sample for each in output.facts.attempts] == [0, 1, 2]
    assert len({seed for _, seed, _ in bench.client.asked}) == 3


def test_who_solves_sees_the_task_and_the_tools_and_nothing_else(tmp_path: Path) -> None:
    before = answered(DRAW, "HIDDEN")
    secret = reference_of(ROOM, "def evaluate(world):\n    return 'HIDDEN'", "def solve():\n    return ['HIDDEN']")
    of = problem(
        parents=[before.id],
        stage="pose@1",
        draw=0,
        kind="posed",
        question="Open the door.",
        answer=secret,
        verifier="code",
        details={"wrong": "HIDDEN"},
    )
    bench = Bench(tmp_path, cast(Instantly, Rooms()))
    output = bench.run(
        "episode",
        says=lambda message, sample: "Done.",
        problems=[of],
        beside=[SEED, DRAW],
        attempts=[before],
        prompt="solve/calls",
    )
    [(message, _, _)] = bench.client.asked
    assert message.startswith(f"Open the door.\n\n{SEED.question}\n\n")
    assert "HIDDEN" not in message
    assert len(output.facts.attempts) == 1


def test_a_task_that_was_brought_has_its_own_environment(tmp_path: Path) -> None:
    of = posed(0, "Open the door.", answer=to_json(TASK), verifier="code")
    _, bench, rooms = worked(tmp_path, calling(LOOK), "Done.", of=of, prompt="solve/calls")
    assert bench.client.askings[0].messages[0]["content"].startswith("Open the door.\n\nYou may look around")
    assert rooms.played_in == [(ROOM, [LOOK])]


def test_a_problem_without_an_environment_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRows, match=r"'How many\?' has no environment"):
        worked(tmp_path, "Done.", of=posed(0))
    with pytest.raises(ValueError, match="turns = 0 should be at least 1"):
        check_episode({"n": 1, "turns": 0})


# --- Posing of what was found -----------------------------------------------------------------------------------

SAID = """<question>
Open the door.
</question>
<evaluation>
```python
def evaluate(world):
    return world.open
```
</evaluation>
<solution>
def solve():
    return [["open", {}]]
</solution>
<wrong>
def solve():
    return []
---
```python
def solve():
    return [["look", {}]]
```
</wrong>"""


def explored() -> Attempt:
    first = (Turn("user", "try it"), Turn("assistant", calling(LOOK)))
    return answered(DRAW, "Done.")._replace(turns=(*first, Turn("user", "A door."), Turn("assistant", "Done.")))


def test_a_task_is_posed_of_what_was_found_and_its_parts_become_its_reference(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    output = bench.run(
        "pose",
        says=lambda message, sample: SAID,
        problems=[DRAW],
        beside=[SEED],
        attempts=[explored()],
        prompt=["pose/in-environment"],
        verifier="code",
    )
    [(message, _, _)] = bench.client.asked
    assert f"{DRAW.question}\n\n{calling(LOOK)}\n\nA door.\n\nDone." in message
    assert "try it" not in message
    [made] = output.facts.problems
    solution = 'def solve():\n    return [["open", {}]]'
    assert (made.question, made.verifier) == ("Open the door.", "code")
    assert made.answer == reference_of(ROOM, "def evaluate(world):\n    return world.open", solution)
    assert orjson.loads(made.details).keys() == {"wrong"}
    assert failure_cases(made) == ["def solve():\n    return []", 'def solve():\n    return [["look", {}]]']


def test_without_an_environment_such_parts_are_details_like_others(tmp_path: Path) -> None:
    output = Bench(tmp_path).run(
        "pose",
        says=lambda message, sample: SAID,
        problems=[posed(0, "Seed task 1:\nSomething.")],
        prompt=["pose/in-environment"],
        verifier="code",
    )
    [made] = output.facts.problems
    assert made.answer is None
    assert orjson.loads(made.details).keys() == {"evaluation", "solution", "wrong"}


def test_an_evaluation_is_for_the_verifier_that_runs_it() -> None:
    given = {"prompt": [load("pose/in-environment")], "verifier": ""}
    with pytest.raises(ValueError, match="say verifier = 'code'"):
        check_pose(given)
    check_pose({**given, "verifier": "code"})
