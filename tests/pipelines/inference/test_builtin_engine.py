"""The engine as its callers see it: messages in, text out; faults come at their rates and are caught."""

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from rapidfuzz import process
from rapidfuzz.distance import Indel

import prompts.template as template
from pipelines.inference.builtin import NONE, Faults, Reply, reply, truth
from pipelines.inference.builtin.pose.families import FAMILIES
from pipelines.inference.builtin.pose.stock import STOCK

DEFAULT = Faults()
SEEDS = [family.pose(Random(i), 4).question for i in range(4) for family in FAMILIES]


def say(
    prompt: str,
    *,
    seed: int = 1,
    temperature: float = 1.0,
    max_tokens: int = 1024,
    faults: Faults = DEFAULT,
    prefix: str = "",
) -> Reply:
    messages = [{"role": "user", "content": prompt}]
    if prefix:
        messages.append({"role": "assistant", "content": prefix})
    return reply(messages, seed=seed, temperature=temperature, max_tokens=max_tokens, faults=faults)


def rendered(name: str, **values: str) -> str:
    return template.load(name).render(values)[-1]["content"]


def pose_prompt(i: int, name: str = "pose/plan-solve") -> str:
    pair = Random(i).sample(SEEDS, 2)
    return rendered(name, seeds="\n\n".join(f"Seed question {k}:\n{s}" for k, s in enumerate(pair, 1)))


def pose(i: int, faults: Faults = DEFAULT, name: str = "pose/plan-solve") -> Reply:
    return say(pose_prompt(i, name), seed=i, faults=faults)


def parsed(text: str) -> tuple[str, str] | None:
    """What the obvious check reads: exactly one question and one box that is not empty, all tags closed."""
    questions = re.findall(r"<question>\n(.+?)\n</question>", text, re.S)
    answers = re.findall(r"<answer>\n\\boxed\{([^{}]+)\}\n</answer>", text)
    boxes = re.findall(r"\\boxed\{", text)
    return (questions[0], answers[0]) if len(questions) == len(answers) == len(boxes) == 1 else None


def box(text: str) -> str | None:
    found = re.findall(r"\\boxed\{([^{}]+)\}", text)
    return found[-1] if found else None


def solutions(question: str, k: int = 8, faults: Faults = DEFAULT) -> list[str | None]:
    prompt = rendered("solve/boxed", question=question)
    return [box(say(prompt, seed=seed, faults=faults).text) for seed in range(k)]


@cache
def candidates(how_many: int) -> tuple[tuple[str, str], ...]:
    """The well-formed ones of so many posings with default faults."""
    made = (pose(i) for i in range(how_many))
    return tuple(part for r in made if r.finish == "stop" and (part := parsed(r.text)))


def is_right(question: str, answer: str) -> bool:
    """Right by the slip-free solver, or an unchanged answer of a stock problem."""
    found = truth(question)
    return found == answer if found is not None else any(answer == a and question[-30:] == q[-30:] for q, a in STOCK)


def test_the_package_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, pipelines.inference.builtin;"
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names"
        " and m.split('.')[0] not in ('pipelines', '__main__') and not m.startswith('_')])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_arguments_give_the_same_reply() -> None:
    assert pose(3) == pose(3)
    assert len({pose_text for seed in range(20) if (pose_text := say(pose_prompt(1), seed=seed).text)}) > 15


def test_at_temperature_0_the_seed_does_not_count() -> None:
    cold = {say(pose_prompt(1), seed=seed, temperature=0).text for seed in range(5)}
    assert len(cold) == 1


def test_every_fact_of_the_request_counts() -> None:
    other = replace(DEFAULT, slip=DEFAULT.slip / 2)
    assert len({pose(1).text, say(pose_prompt(1), seed=2).text, pose(1, other).text, pose(2).text}) == 4


@pytest.mark.parametrize(
    ("messages", "said"),
    [([], "no user message"), ([{"role": "system", "content": "x"}], "no user message")],
)
def test_messages_without_a_user_are_refused(messages: list[dict[str, str]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reply(messages, seed=1, temperature=1, max_tokens=10)


def test_bad_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="max_tokens 0"):
        say("Hello", max_tokens=0)
    with pytest.raises(ValueError, match="slip is a probability"):
        Faults(slip=1.5)
    with pytest.raises(ValueError, match=r"add up to 1\.3"):
        replace(NONE, wrong_author=0.6, leak=0.7)


def test_text_is_cut_at_max_tokens() -> None:
    whole = pose(5, NONE)
    part = say(pose_prompt(5), seed=5, faults=NONE, max_tokens=20)
    assert (whole.finish, part.finish) == ("stop", "length")
    assert part.completion_tokens == 20
    assert whole.text.startswith(part.text)
    assert whole.prompt_tokens == part.prompt_tokens > 100
    assert say(pose_prompt(5), seed=5, faults=NONE, max_tokens=whole.completion_tokens) == whole


def test_a_reply_ends_where_it_is_to_stop_and_has_no_word_that_is_banned() -> None:
    asked = [
        {
            "role": "user",
            "content": rendered("think/paragraphs", question="Tom has 50 marbles. He loses 4 marbles. How many now?"),
        }
    ]

    def said(seed: int, stop: Sequence[str] = (), bad_words: Sequence[str] = (), unbanned: float = 0) -> str:
        how = {"faults": replace(NONE, detour=0.5, unbanned=unbanned), "stop": stop, "bad_words": bad_words}
        return reply(asked, seed=seed, temperature=1, max_tokens=999, **how).text

    free = [said(seed) for seed in range(20)]
    assert [said(seed, stop=["\n\nStep", "never"]) for seed in range(20)] == [
        each.partition("\n\nStep")[0] for each in free
    ]
    banned = [said(seed, bad_words=["wait", "Hmm"]) for seed in range(20)]
    assert not any("Wait" in each or "Hmm" in each for each in banned)
    assert [each for each in free if "Wait" not in each and "Hmm" not in each] == [
        each for each, was in zip(banned, free, strict=True) if each == was
    ]
    assert [said(seed, bad_words=["wait", "Hmm"], unbanned=1) for seed in range(20)] == free


@pytest.mark.parametrize("name", ["pose/plan-solve", "pose/plan", "pose/solve", "pose/plain"])
def test_each_posing_prompt_gets_the_tags_it_asks_for(name: str) -> None:
    asked = re.findall(r"<(plan|question|answer)>", pose_prompt(1, name))
    assert re.findall(r"<(plan|question|answer)>", pose(1, NONE, name).text) == asked


def test_a_system_message_changes_nothing_but_the_draw() -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": pose_prompt(1)}]
    assert parsed(reply(messages, seed=1, temperature=1, max_tokens=1024, faults=NONE).text)


def test_seeds_steer_the_family_and_the_plan_tells_it() -> None:
    plans = [pose(i, NONE).text.split("</plan>")[0] for i in range(200)]
    told = [re.findall(r"it looks to me like ([^(]+) \(", plan) for plan in plans]
    chosen = [plan.rsplit(": ", 1)[1].split(". The new problem")[0] for plan in plans]
    stays = [c in t for t, c, plan in zip(told, chosen, plans, strict=True) if "a kind that the seeds show" in plan]
    assert len(stays) > 60
    assert all(stays)


def test_a_cut_reply_goes_on_where_it_stopped() -> None:
    whole = say(pose_prompt(7), temperature=0, faults=NONE).text
    for length in (1, 20, len(whole) // 2, len(whole) - 3):
        assert whole[:length] + say(pose_prompt(7), temperature=0, faults=NONE, prefix=whole[:length]).text == whole


def test_a_strangers_steps_are_taken_over_with_their_mistakes() -> None:
    prompt = rendered(
        "solve/boxed",
        question="Tom has 50 marbles. He buys 7 more marbles. He loses 4 marbles. How many marbles does Tom "
        "have now?",
    )
    wrong = "Let me see.\nStep 1: 50 + 7 = 58."
    right = "Let me see.\nStep 1: 50 + 7 = 57."
    assert "58 - 4 = 54" in say(prompt, faults=NONE, prefix=wrong).text
    assert box(say(prompt, faults=NONE, prefix=wrong).text) == "54"
    assert box(say(prompt, faults=NONE, prefix=right).text) == "53"
    assert "Step 1" not in say(prompt, faults=NONE, prefix=wrong).text


def test_a_strangers_posing_is_completed() -> None:
    question = "Tom has 50 marbles. He buys 7 more marbles. How many marbles does Tom have now?"
    begun = f"<plan>\nAdd.\n</plan>\n<question>\n{question}\n</question>"
    more = say(pose_prompt(1), faults=NONE, prefix=begun).text
    assert parsed(begun + more) == (question, "57")


def test_an_unknown_request_gets_an_honest_answer() -> None:
    for prompt in ("qwertz", "9 9 9", "Bonjour."):
        assert "I do not understand" in say(prompt, faults=NONE).text


def test_an_unreadable_problem_gets_no_box() -> None:
    text = say(rendered("solve/boxed", question="Let f be a continuous function. Is f bounded?"), faults=NONE).text
    assert "cannot" in text
    assert box(text) is None


@pytest.mark.slow
def test_without_faults_every_posing_is_right() -> None:
    for i in range(300):
        part = parsed(pose(i, NONE).text)
        assert part
        assert truth(part[0]) == part[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["wrong_author", "malformed", "truncated", "near_duplicate", "ambiguous", "leak", "refuse"]
)
def test_each_fault_comes_at_its_rate_and_is_caught(fault: str) -> None:
    rate, n = 0.3, 400
    faults = replace(NONE, **{fault: rate})
    caught = sum(CAUGHT[fault](pose(i, faults)) for i in range(n))
    assert abs(caught / n - rate) < 0.07


def well_formed(r: Reply) -> tuple[str, str]:
    part = parsed(r.text)
    assert part, r.text
    return part


def near_a_source(r: Reply) -> bool:
    question = well_formed(r)[0]
    words = set(question.lower().split())
    return any(
        len(words & set(s.lower().split())) >= 0.75 * len(words) and s[-15:] == question[-15:]
        for s in [*SEEDS, *(q for q, _ in STOCK)]
    )


def gives_itself_away(r: Reply) -> bool:
    question, answer = well_formed(r)
    return bool(re.search(rf"(?:answer is|should get|comes to) {re.escape(answer)}\b", question))


CAUGHT = {
    "wrong_author": lambda r: truth(well_formed(r)[0]) != well_formed(r)[1],
    "malformed": lambda r: parsed(r.text) is None,
    "truncated": lambda r: r.finish == "length" and r.completion_tokens == 1024,
    "near_duplicate": near_a_source,
    "ambiguous": lambda r: truth(well_formed(r)[0]) is None,
    "leak": gives_itself_away,
    "refuse": lambda r: "<question>" not in r.text,
}


def test_solutions_of_an_ambiguous_problem_scatter() -> None:
    faults = replace(NONE, ambiguous=1)
    for i in range(30):
        question = well_formed(pose(i, faults))[0]
        top = Counter(solutions(question, 16, NONE)).most_common(1)[0][1]
        assert top <= 10


@pytest.mark.slow
def test_pass_rates_spread_over_the_whole_range() -> None:
    problems = [(q, a) for i in range(400) if (p := parsed(pose(i, NONE).text)) for q, a in [p]]
    passed = Counter(sum(s == a for s in solutions(q)) for q, a in problems)
    assert passed[0] >= 3
    assert passed[8] >= 60
    assert set(passed) == set(range(9))


def test_later_steps_slip_more_often() -> None:
    slipped = Counter()
    chain = "Tom has 50 marbles. " + "He buys 7 more marbles. " * 10 + "How many marbles does Tom have now?"
    prompt = rendered("solve/boxed", question=chain)
    for seed in range(300):
        steps = re.findall(r"(\d+) \+ 7 = (\d+)", say(prompt, seed=seed, faults=replace(NONE, slip=0.1)).text)
        slipped.update(i for i, (a, b) in enumerate(steps) if int(a) + 7 != int(b))
    assert sum(slipped[i] for i in range(5)) < sum(slipped[i] for i in range(5, 10))


def test_every_domain_and_family_is_posed() -> None:
    plans = [pose(i, NONE).text.split("</plan>")[0] for i in range(1000)]
    counts = {family.name: sum(f": {family.about}. The new" in plan for plan in plans) for family in FAMILIES}
    assert min(counts.values()) >= 5, counts
    assert len({family.domain for family in FAMILIES}) == 3


@pytest.mark.slow
def test_a_vote_of_eight_makes_right_answers_of_mostly_right_ones() -> None:
    asked = 2000
    formed = candidates(asked)
    right = [is_right(q, a) for q, a in formed]
    kept = [ok for (q, a), ok in zip(formed, right, strict=True) if solutions(q).count(a) > 4]
    assert sum(right) / len(formed) < 0.85
    assert sum(kept) / len(kept) > 0.97
    assert len(kept) / asked >= 0.55


def near(questions: list[str]) -> float:
    """The share of questions whose ROUGE-L to a seed or an earlier question is above 0.7."""
    codes: dict[str, int] = {}
    encoded = [
        "".join(chr(0x100 + codes.setdefault(w, len(codes))) for w in re.findall(r"\w+", text.lower()))
        for text in [*SEEDS, *questions]
    ]
    hits = [
        process.extractOne(encoded[i], encoded[:i], scorer=Indel.normalized_similarity, score_cutoff=0.7)
        for i in range(len(SEEDS), len(encoded))
    ]
    return sum(hit is not None for hit in hits) / len(questions)


@pytest.mark.slow
def test_few_problems_are_near_another_and_mostly_by_the_fault_for_it() -> None:
    clean = [well_formed(pose(i, NONE))[0] for i in range(1000)]
    share, without = near([q for q, _ in candidates(1060)]), near(clean)
    assert share < 0.15
    assert without < share / 2


@pytest.mark.slow
def test_a_call_takes_about_a_millisecond() -> None:
    prompts = [rendered("solve/boxed", question=q) for q, _ in candidates(300)]
    start = time.process_time()
    for prompt in prompts:
        say(prompt)
    assert (time.process_time() - start) / len(prompts) < 0.005
