"""A proxy's training: when it is asked, what counts, and what it says. With torch: that it really learns."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.artifact import artifact
from filters.rule import Case
from filters.selection_s2l import Losses, read_losses, s2l, write_losses
from pipelines import proxy
from pipelines.proxy import Example, Plan, Row
from pipelines.records import Problem
from tests.filters.cases import task

PLAN = Plan(epochs=3, every=2, most=12, length=64, batch=4, rate=1e-2, seed=0)


def talk(question: str, *answers: str | None) -> list[dict[str, str | None]]:
    """The question and its answer; what is answered after that was asked for by "and"."""
    asked = [question, *["and"] * (len(answers) - 1)]
    turns = [
        turn for pair in zip(asked, answers, strict=True) for turn in zip(("user", "assistant"), pair, strict=True)
    ]
    return [{"role": role, "content": content} for role, content in turns]


# --- Checkpoints and steps ------------------------------------------------------------------------------------


@given(total=st.integers(1, 5_000), every=st.integers(1, 700), most=st.integers(2, 20))
def test_checkpoints_ascend_from_the_first_to_the_last_and_are_at_most_so_many(total: int, every: int, most: int):
    steps = proxy.checkpoints(total, every=every, most=most)
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (min(every, total), total)
    assert all(step % every == 0 or step == total for step in steps)
    assert len(steps) == min(most, -(-total // every))


def test_of_many_checkpoints_some_are_taken_evenly():
    assert proxy.checkpoints(10, every=2, most=9) == [2, 4, 6, 8, 10]
    assert proxy.checkpoints(1000, every=10, most=5) == [10, 250, 500, 750, 1000]


@given(count=st.integers(1, 30), seed=st.integers(0, 3), turned=st.randoms())
def test_an_epoch_takes_each_row_once_in_an_order_that_is_not_that_of_the_rows(
    count: int, seed: int, turned: random.Random
):
    examples = [Example(str(n), (1, 2), (1, 2), False) for n in range(count)]
    steps = list(proxy.batches(examples, PLAN._replace(seed=seed)))
    assert {len(step) for step in steps} <= {PLAN.batch, count % PLAN.batch}
    taken = [each.id for step in steps for each in step]
    assert [sorted(taken[n * count : (n + 1) * count], key=int) for n in range(3)] == [[e.id for e in examples]] * 3
    assert steps == list(proxy.batches(turned.sample(examples, count), PLAN._replace(seed=seed)))


def test_epochs_and_seeds_have_orders_of_their_own():
    examples = [Example(str(n), (1, 2), (1, 2), False) for n in range(20)]
    orders = [
        [each.id for step in proxy.batches(examples, PLAN._replace(epochs=2, seed=seed)) for each in step]
        for seed in (0, 1)
    ]
    assert len({tuple(order[half : half + 20]) for order in orders for half in (0, 20)}) == 4


# --- What counts ----------------------------------------------------------------------------------------------


class Letters:
    """A tokenizer whose tokens are letters."""

    eos_token = "$"
    chat_template: str | None = None

    def __call__(self, text: str, **_: Any) -> dict[str, list[Any]]:
        places = [(place, place + 1) for place in range(len(text))]
        return {"input_ids": list(map(ord, text)), "offset_mapping": places}


class Forgetful(Letters):
    """Its template takes the thoughts, in brackets, out of all turns but the last, and wants users to begin."""

    chat_template = "a template"

    def get_chat_template(self) -> str:
        return "a template"

    def apply_chat_template(self, messages: Sequence[dict[str, str]], add_generation_prompt: bool, **_: Any) -> str:
        if messages[0]["role"] != "user":
            raise ValueError("a user should begin")
        shown = [each["content"] if each is messages[-1] else each["content"].split("]")[-1] for each in messages]
        return "".join(f"<{text}>" for text in shown) + "<" * add_generation_prompt


def counted(messages: Any, tokenizer: Letters) -> list[str]:
    """What is labelled of a conversation, piece by piece."""
    labels = proxy.encoded(Row("1", messages), tokenizer, 500).labels
    return "".join(" " if label == proxy.NO_LABEL else chr(label) for label in labels).split()


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (talk("2+2", "4"), ["4$"]),
        (talk("a", "b", "c"), ["b$", "c$"]),
        (talk("a", "", "c"), ["c$"]),
        (talk("a", None), []),
        (talk("a", " \n"), []),
        ([{"role": "assistant", "content": "a"}], ["assistant:", "a$"]),  # nothing asks for it
        ([{"role": "user", "content": "a"}], []),
    ],
)
def test_only_what_an_assistant_says_counts(messages: list[Any], said: list[str]):
    assert counted(messages, Letters()) == said


def test_turns_that_a_template_shows_otherwise_count_as_far_as_they_stay():
    assert counted(talk("q", "[t]a"), Forgetful()) == ["[t]a>"]
    assert counted(talk("q", "[t]a", "[u]b"), Forgetful()) == ["[u]b>"]
    assert counted(talk("q", "a", "[u]b"), Forgetful()) == ["a>", "[u]b>"]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        None,
        [{"role": "assistant", "content": "I begin"}],
        [{"role": "user", "content": "nobody answers"}],
        [{}],
    ],
)
def test_a_conversation_without_an_answer_or_that_the_template_refuses_has_nothing_to_learn(messages: Any):
    assert not proxy.encoded(Row("1", messages), Forgetful(), 50).is_learnable


def test_halves_of_characters_and_texts_of_megabytes_are_read():
    assert counted(talk("a\ud83d", "b\udc00"), Letters()) == ["b?$"]
    example = proxy.encoded(Row("1", talk("q", "a" * 5_000_000)), Letters(), 50)
    assert (len(example.tokens), len(example.labels), example.is_cut) == (50, 50, True)
    many = proxy.encoded(Row("1", talk("q", *["a"] * 20_000)), Letters(), 50)
    assert many.is_learnable


@pytest.mark.parametrize(("length", "learns", "cut"), [(27, True, False), (26, True, True), (20, False, True)])
def test_a_row_is_cut_at_the_length(length: int, learns: bool, cut: bool):
    example = proxy.encoded(Row("1", talk("q", "answer")), Letters(), length)
    assert (example.is_learnable, example.is_cut) == (learns, cut)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20), st.lists(st.integers(0, 4), max_size=8)
)
def test_a_token_is_labelled_if_it_holds_a_character_of_a_span(steps: list[tuple[int, int]], sizes: list[int]):
    places, spans, at = list[tuple[int, int]](), list[tuple[int, int]](), 0
    for gap, size in steps:
        places.append((at + gap, at := at + gap + size))
    bounds = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    held = {letter for start, end in spans for letter in range(start, end)}
    wanted = [bool(held & set(range(*place))) for place in places]
    assert [label == 7 for label in proxy.labelled([7] * len(places), places, spans)] == wanted


# --- From a dataset -------------------------------------------------------------------------------------------


def a_version(folder: Path, attempts: dict[str, str]) -> Path:
    """A version whose view has these attempts, each at the problem that it names."""
    import pyarrow as pa

    from pipelines.release import write_dataset
    from pipelines.views import sft

    rows = [{"messages": talk("q", id), "attempt_id": id, "problem_id": of} for id, of in attempts.items()]
    folder.mkdir()
    found = [pa.RecordBatch.from_pylist([row], schema=sft.schema()) for row in rows]
    write_dataset(folder / "sft", sft.schema(), found)
    return folder


LOST = {"b2": nan, "c1": nan}


def told(rows: Sequence[Row]) -> Losses:
    """A proxy whose loss is the number in the id."""
    found = tuple((float(row.id[1:]), LOST.get(row.id, 1.0)) for row in rows)
    return Losses("tiny", "r1", (5, 9), tuple(row.id for row in rows), found, {"rows": len(rows)})


def test_the_losses_of_a_problem_are_the_means_over_its_attempts(tmp_path: Path):
    pytest.importorskip("pyarrow")
    version = a_version(tmp_path / "v1", {"b4": "B", "a1": "A", "b2": "B", "a6": "A", "b8": "B", "c1": "C"})
    losses = proxy.losses_of_dataset(version, tmp_path / "losses", train=told)
    assert losses[:4] == ("tiny", "r1", (5, 9), ("A", "B", "C"))
    assert losses.rows[:2] == ((3.5, 1.0), (6.0, 1.0))
    assert all(map(isnan, losses.rows[2]))
    assert repr(read_losses(tmp_path / "losses")) == repr(losses)


def test_rows_are_read_as_the_view_has_them(tmp_path: Path):
    rows, problems = proxy.read_rows(a_version(tmp_path / "v1", {"a1": "A", "b2": "B"}))
    assert rows == [Row("a1", talk("q", "a1")), Row("b2", talk("q", "b2"))]
    assert problems == {"a1": "A", "b2": "B"}
    assert proxy.read_rows(a_version(tmp_path / "v2", {})) == ([], {})


def test_what_has_no_such_view_is_refused(tmp_path: Path):
    version = a_version(tmp_path / "v1", {"a1": "A"})
    with pytest.raises(ValueError, match=r"no folder .*nowhere to write losses to"):
        proxy.losses_of_dataset(version, tmp_path / "nowhere" / "losses", train=told)
    (version / "sft" / "data-00000.arrow").write_bytes(b"no rows")
    for folder in (version, tmp_path):
        with pytest.raises(ValueError, match=r"sft is no view for fine-tuning: .*; name a version with"):
            proxy.losses_of_dataset(folder, tmp_path / "losses", train=told)
    assert not (tmp_path / "losses").exists()


# --- Refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"epochs": 0}, "epochs = 0 should be at least 1"),
        ({"every": 0}, "every = 0 should be at least 1"),
        ({"most": 1}, "most = 1 should be at least 2"),
        ({"length": 1}, "length = 1 should be at least 2"),
        ({"batch": -1}, "batch = -1 should be at least 1"),
        ({"rate": 0.0}, "rate = 0.0 should lie between"),
        ({"rate": nan}, "rate = nan should lie between"),
    ],
)
def test_a_plan_that_trains_nothing_is_refused(plan: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        proxy.train_proxy([Row("1", talk("q", "a"))], model="none", **plan)


def test_rows_of_one_id_are_refused():
    with pytest.raises(ValueError, match="two rows have the same id"):
        proxy.train_proxy([Row("1", talk("q", "a"))] * 2, model="none")


def test_without_torch_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proxy, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs torch and transformers: pip install 'thoughtmill\[trainers\]'"):
        proxy.train_proxy([Row("1", talk("q", "a"))], model="none")


# --- With torch -----------------------------------------------------------------------------------------------

torches = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
END = "<|endoftext|>"
SIZES = {"template": 60, "mixed": 30, "noise": 15}
TAUGHT: dict[str, Any] = {"rate": 5e-3, "length": 64, "epochs": 6, "every": 20}


def learners(sizes: dict[str, int]) -> tuple[list[Problem], list[Row]]:
    """Families of rows: answers that are always the same, that are by half, that are never. Questions name them."""
    chance, known, new = random.Random(0), "abcdefghijklmnop", "qrstuvwxyz0123456789"
    same = {"template": 16, "mixed": 8, "noise": 0}
    problems, rows = list[Problem](), list[Row]()
    for name in (name for name, size in sizes.items() for _ in range(size)):
        answer = known[: same[name]] + "".join(chance.choices(new, k=16 - same[name]))
        problems.append(task(f"{name} {len(problems)}"))
        rows.append(Row(problems[-1].id, talk(chance.choice(new), answer)))
    return problems, rows


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a random Qwen2 of two layers, and a tokenizer whose tokens are bytes."""
    torch = pytest.importorskip("torch", reason="a proxy needs torch and transformers")
    pytest.importorskip("transformers", reason="a proxy needs torch and transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # pyright: ignore[reportMissingImports]
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    torch.manual_seed(0)
    words = [END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({word: n for n, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    folder = str(tmp_path_factory.mktemp("tiny"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END).save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=False,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


class Trained(NamedTuple):
    """What one training gave, for several tests."""

    problems: list[Problem]
    losses: Losses
    seen: list[proxy.Progress]


@pytest.fixture(scope="module")
def trained(tiny: str) -> Trained:
    (problems, rows), seen = learners(SIZES), list[proxy.Progress]()
    return Trained(problems, proxy.train_proxy(rows, model=tiny, watch=seen.append, **TAUGHT), seen)


class TestTrained:
    pytestmark = torches

    def test_losses_fall_over_the_checkpoints(self, trained: Trained):
        losses = trained.losses
        assert losses.steps == (20, 40, 60, 80, 84)
        means = [sum(column) / len(losses.rows) for column in zip(*losses.rows, strict=True)]
        assert means == sorted(means, reverse=True)
        assert means[-1] < 0.7 * means[0]
        assert [each.step for each in trained.seen] == list(range(1, 85))
        assert losses.training == {
            "most": 12, "batch": 8, "seed": 0, **TAUGHT, "rows": 105, "cut": 0, "not_numbers": 0
        }  # fmt: skip

    def test_families_of_rows_are_clusters_of_losses(self, trained: Trained, tmp_path: Path):
        """T-1: the proxy's run writes the matrix, and the selection from it is balanced over what was planted."""
        import numpy as np

        from filters.k_means import k_means

        family = {each.id: each.question.split()[0] for each in trained.problems}
        labels = k_means(np.asarray(trained.losses.rows), 3, seed=0).labels
        found = Counter(zip(labels.tolist(), (family[id] for id in trained.losses.ids), strict=True))
        purity = sum(max(found[label, name] for name in SIZES) for label in range(3)) / found.total()
        assert purity >= 0.98
        write_losses(tmp_path / "losses", trained.losses)
        cases = [Case(each) for each in trained.problems]
        rulings = s2l(cases, losses=artifact(tmp_path / "losses"), k=30, clusters=3)
        kept = (case for case, ruling in zip(cases, rulings, strict=True) if ruling.status == "pass")
        assert Counter(family[case.problem.id] for case in kept) == {"template": 10, "mixed": 10, "noise": 10}

    def test_the_same_seed_gives_the_same_matrix_whatever_the_order_of_rows(self, tiny: str, tmp_path: Path):
        import torch  # pyright: ignore[reportMissingImports]

        rows, state = learners({"template": 9, "noise": 8})[1], torch.get_rng_state()
        found = [
            proxy.train_proxy(some, model=tiny, seed=seed, epochs=2, every=1, rate=1e-2, length=64)
            for some, seed in ((rows, 0), (rows[::-1], 0), (rows, 1))
        ]
        for name, losses in zip("abc", found, strict=True):
            write_losses(tmp_path / name, losses)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
        assert found[0].rows != found[2].rows
        assert torch.equal(torch.get_rng_state(), state)

    def test_the_loss_is_the_mean_over_the_answer_whatever_stands_beside_it(self, tiny: str):
        """Against transformers' own loss, row by row, of a proxy that learns as good as nothing."""
        import torch  # pyright: ignore[reportMissingImports]
        from transformers import AutoModelForCausalLM, AutoTokenizer  # pyright: ignore[reportMissingImports]

        rows = [Row(str(n), talk("1+2", "3" * (n + 1))) for n in range(20)]
        losses = proxy.train_proxy(rows, model=tiny, epochs=1, length=64, rate=1e-12)
        model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
        for id, [loss] in zip(losses.ids, losses.rows, strict=True):
            example = proxy.encoded(rows[int(id)], tokenizer, 64)
            assert sum(label != proxy.NO_LABEL for label in example.labels) == int(id) + 2
            given = {"input_ids": torch.tensor([example.tokens]), "labels": torch.tensor([example.labels])}
            assert loss == pytest.approx(model(**given).loss.item(), abs=1e-5)

    def test_rows_without_a_loss_stay_without_and_are_counted(self, tiny: str):
        long = "7" * 100
        talks = {"said": talk("1", "2"), "cut": talk("1", long), "late": talk(long, "2"), "blank": talk("1", "")}
        rows = [Row(id, messages) for id, messages in talks.items()]
        losses = proxy.train_proxy(rows, model=tiny, length=64)
        assert {id for id, row in zip(losses.ids, losses.rows, strict=True) if isnan(row[0])} == {"late", "blank"}
        assert (losses.training["cut"], losses.training["not_numbers"]) == (2, 2)

    def test_a_training_that_breaks_says_so(self, tiny: str, tmp_path: Path):
        from transformers import AutoModelForCausalLM, AutoTokenizer  # pyright: ignore[reportMissingImports]

        broken = AutoModelForCausalLM.from_pretrained(tiny)
        broken.get_input_embeddings().weight.data[:] = nan
        for part in (broken, AutoTokenizer.from_pretrained(tiny)):
            part.save_pretrained(tmp_path / "broken")
        problems, rows = learners({"template": 6, "noise": 6})
        losses = proxy.train_proxy(rows, model=str(tmp_path / "broken"), length=64)
        assert losses.training["not_numbers"] == 12
        write_losses(tmp_path / "losses", losses)
        rulings = s2l([Case(each) for each in problems], losses=artifact(tmp_path / "losses"), k=5)
        assert {ruling.status for ruling in rulings} == {"unsure"}

    def test_tokens_that_the_model_does_not_know_yet_are_added_to_it(self, tiny: str, tmp_path: Path):
        from transformers import AutoModelForCausalLM, AutoTokenizer  # pyright: ignore[reportMissingImports]

        tokenizer = AutoTokenizer.from_pretrained(tiny)
        tokenizer.add_tokens(["new"])
        for part in (AutoModelForCausalLM.from_pretrained(tiny), tokenizer):
            part.save_pretrained(tmp_path)
        losses = proxy.train_proxy([Row("1", talk("1", "new new"))], model=str(tmp_path), length=64)
        assert losses.training["not_numbers"] == 0

    def test_a_template_of_the_tokenizer_is_used_on_a_day_that_is_always_the_same(self, tiny: str):
        from transformers import AutoTokenizer  # pyright: ignore[reportMissingImports]

        tokenizer = AutoTokenizer.from_pretrained(tiny)
        tokenizer.chat_template = (
            "{{ strftime_now('%Y') }} {% for each in messages %}"
            "{% if each.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
            "{{ each.role }} {{ each.content }}{{ eos_token }}{% endfor %}"
            "{% if add_generation_prompt %}assistant {% endif %}"
        )
        shown = proxy.templated(tokenizer)(talk("1", "2"), False)
        assert shown == f"1 January 2025 user 1{END}assistant 2{END}"
        example = proxy.encoded(Row("1", talk("1", "2")), tokenizer, 64)
        assert tokenizer.decode([label for label in example.labels if label != proxy.NO_LABEL]) == f"2{END}"
        refused = proxy.encoded(Row("1", [{"role": "system", "content": "x"}, *talk("1", "2")]), tokenizer, 64)
        assert not refused.is_learnable

    def test_models_and_pools_that_give_no_training_are_refused(self, tiny: str, tmp_path: Path):
        rows = [Row("1", talk("1", "2"))]
        with pytest.raises(ValueError, match=r"no causal language model .* with a tokenizer"):
            proxy.train_proxy(rows, model=str(tmp_path))
        with pytest.raises(ValueError, match="length = 512 is more than the 64 positions"):
            proxy.train_proxy(rows, model=tiny)
        for pool in ([], [Row("1", talk("1", ""))]):
            with pytest.raises(ValueError, match="rows has an answer within 64 tokens: nothing to learn"):
                proxy.train_proxy(pool, model=tiny, length=64)
