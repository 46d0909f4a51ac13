"""How a small model learns a pool, row by row: the matrix of losses that `s2l` selects by (arXiv 2403.07384).

A proxy is trained on all rows for a few epochs. At each checkpoint, in the order of training, it is asked for its
mean loss over what the assistant says in every row. No checkpoint is taken before the first step, as in the method.
Of many checkpoints some are taken, spread over all of the training, where the method's own code keeps the last ones.

Needs torch and transformers. On a CPU the same rows, in whatever order, and the same plan give the same matrix.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from math import ceil, isfinite, nan
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from filters.selection_s2l import Losses, write_losses
from pipelines.records import digest

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]

Message = Mapping[str, str | None]
Render = Callable[[Sequence[Message], bool], str]
"""`render(messages, asks)`: the conversation as one text, which `asks` for the next answer or ends as it stands."""

NO_LABEL = -100  # what a token is labelled that does not count
LONGEST = 100  # characters of a token, hardly ever reached: so a row of many megabytes costs no more than its cut
WARMUP = 0.03  # of all steps; then the rate falls as a cosine. As in the method's own runs
A_DAY = "{%- macro strftime_now(format) -%}1 January 2025{%- endmacro -%}"  # for templates that tell which it is
CLIP = 1.0  # the most that the norm of a step's gradient may be


class Row(NamedTuple):
    """One conversation of the pool, with roles and contents as the view `sft` has them."""

    id: str
    messages: Sequence[Message]


class Plan(NamedTuple):
    """How a proxy is trained: see `train_proxy`."""

    epochs: int
    every: int
    most: int
    length: int
    batch: int
    rate: float
    seed: int


class Progress(NamedTuple):
    """How far a training has come, and its loss over the rows of the last step."""

    step: int
    steps: int
    loss: float

    @property
    def line(self) -> str:
        return f"step {self.step:,} of {self.steps:,}, loss {self.loss:.3f}"


class Example(NamedTuple):
    """A row in tokens, of the same number as labels. Without a label there is nothing to learn, and no loss."""

    id: str
    tokens: Sequence[int]
    labels: Sequence[int]
    is_cut: bool

    @property
    def is_learnable(self) -> bool:
        return any(label != NO_LABEL for label in self.labels[1:])  # nothing foretells the first


def train_proxy(
    rows: Sequence[Row],
    *,
    model: str,
    revision: str | None = None,
    epochs: int = 3,
    every: int = 500,
    most: int = 12,
    length: int = 512,
    batch: int = 8,
    rate: float = 2e-5,
    seed: int = 0,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Losses:
    """Train `model`, a causal language model in a folder or on the Hub, on all rows; its losses by row, in nats.

    Losses are taken every so many steps of `batch` rows and after the last, at `most` checkpoints in all. Rows are
    cut at `length` tokens. A row in which no assistant says anything before that, or which the tokenizer's template
    refuses, has no loss: NaN. `Losses.training` counts such rows, and those that were cut. Raises ValueError for a
    plan or a pool that gives no training, and for a model that is not there.
    """
    plan = _checked(Plan(epochs, every, most, length, batch, rate, seed))
    if len({row.id for row in rows}) < len(rows):
        raise ValueError("two rows have the same id; losses are told apart by it")
    if missing := [name for name in ("torch", "transformers") if find_spec(name) is None]:
        raise ValueError(f"a proxy needs {' and '.join(missing)}: pip install 'thoughtmill[trainers]'")
    import torch  # pyright: ignore[reportMissingImports]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(digest("proxy", seed)[:15], 16))
        proxy, tokenizer, commit = _load(model, revision, plan.length)
        examples = [encoded(row, tokenizer, length) for row in sorted(rows, key=lambda row: row.id)]
        steps, found = _trajectories(proxy, examples, plan, watch)
    counts = {"rows": len(rows), "cut": sum(each.is_cut for each in examples)}
    counts["not_numbers"] = sum(not all(map(isfinite, row)) for row in found)
    ids = tuple(each.id for each in examples)
    return Losses(model, commit, tuple(steps), ids, tuple(found), {**plan._asdict(), **counts})


def _checked(plan: Plan) -> Plan:
    least = {"epochs": 1, "every": 1, "most": 2, "length": 2, "batch": 1}
    for name, number in plan._asdict().items():
        if name in least and number < least[name]:
            raise ValueError(f"{name} = {number} should be at least {least[name]}")
    if not 0 < plan.rate < 1:
        raise ValueError(f"rate = {plan.rate} should lie between 0 and 1, as 2e-5")
    return plan


# --- From a dataset -------------------------------------------------------------------------------------------


def losses_of_dataset(folder: Path, out: Path, *, train: Callable[[Sequence[Row]], Losses]) -> Losses:
    """Write to `out` the losses of the problems in the view `sft` of a dataset version: what `s2l` reads.

    `train` is `train_proxy` with a model. Raises ValueError where the version has no such view, or `out` no folder.
    """
    if not out.parent.is_dir():
        raise ValueError(f"no folder {out.parent} to write {out.name} to; make it first")
    rows, problems = read_rows(folder)
    losses = of_problems(train(rows), problems)
    write_losses(out, losses)
    return losses


def read_rows(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """The rows of the view `sft` of a version, by the ids of their attempts; and the problem of each."""
    rows, problems = list[Row](), dict[str, str]()
    for each in _view(folder / "sft"):
        rows.append(Row(each["attempt_id"], each["messages"]))
        problems[each["attempt_id"]] = each["problem_id"]
    return rows, problems


def _view(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a view as `datasets.load_from_disk` finds them."""
    import pyarrow as pa

    try:
        state = orjson.loads((folder / "state.json").read_bytes())
        for file in state["_data_files"]:
            with pa.memory_map(str(folder / file["filename"])) as source, pa.ipc.open_stream(source) as stream:
                for batch in stream:
                    yield from batch.select(["attempt_id", "problem_id", "messages"]).to_pylist()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{folder} is no view for fine-tuning: {error}; name a version with the view sft") from error


def of_problems(losses: Losses, problems: Mapping[str, str]) -> Losses:
    """The losses by problem, of which `problems` names one for each row: at each checkpoint the mean over its rows.

    Rows with a loss that is not a number are left out of it; a problem that has no others keeps NaN.
    """
    groups = defaultdict[str, list[Sequence[float]]](list)
    for id, row in zip(losses.ids, losses.rows, strict=True):
        groups[problems[id]].append(row)
    ids = sorted(groups)
    return losses._replace(ids=tuple(ids), rows=tuple(_mean(groups[id]) for id in ids))


def _mean(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    numbers = [row for row in rows if all(map(isfinite, row))]
    return tuple(map(fmean, zip(*numbers, strict=True))) if numbers else (nan,) * len(rows[0])


# --- Conversations in tokens ----------------------------------------------------------------------------------


def encoded(row: Row, tokenizer: Any, length: int) -> Example:
    """A row in up to `length` tokens, as the tokenizer's chat template shows it, else as `plain` does.

    Labelled are those that hold a character of what the assistant says, with the mark that ends its turn.
    """
    messages = [{name: _clean(each.get(name)) for name in ("role", "content")} for each in row.messages or ()]
    render = templated(tokenizer) if tokenizer.chat_template else plain(tokenizer.eos_token or "")
    try:
        text = render(messages, False)
        told = tokenizer(text[: LONGEST * length], add_special_tokens=False, return_offsets_mapping=True)
        tokens, places = told["input_ids"][:length], told["offset_mapping"][:length]
        spans = spoken(messages, render, text[: max((end for _, end in places), default=0)])
    except _refusals():
        return Example(row.id, (), (), False)
    is_cut = len(told["input_ids"]) > length or len(text) > LONGEST * length
    return Example(row.id, tokens, labelled(tokens, places, spans), is_cut)


def _clean(text: str | None) -> str:
    """A text that has bytes: halves of characters become question marks."""
    return (text or "").encode("utf-8", "replace").decode()


def _refusals() -> tuple[type[Exception], ...]:
    """What a template may raise that does not know such a conversation: roles that do not alternate, for one."""
    from jinja2 import TemplateError

    return TemplateError, ValueError, TypeError, LookupError


def templated(tokenizer: Any) -> Render:
    """As the tokenizer's chat template shows a conversation, were it always the same day."""
    template = A_DAY + tokenizer.get_chat_template()

    def render(messages: Sequence[Message], asks: bool) -> str:
        return tokenizer.apply_chat_template(
            list(messages), chat_template=template, tokenize=False, add_generation_prompt=asks
        )

    return render


def plain(end: str) -> Render:
    """Each message under its role, with an empty line between them; answers have the mark `end` behind them."""

    def render(messages: Sequence[Message], asks: bool) -> str:
        shown = [f"{each['role']}:\n{each['content']}{end * (each['role'] == 'assistant')}" for each in messages]
        return "\n\n".join([*shown, *["assistant:\n"] * asks])

    return render


def spoken(messages: Sequence[Message], render: Render, text: str) -> list[tuple[int, int]]:
    """Where in `text`, which is a conversation or its beginning, an assistant speaks that has something to say.

    A turn lies between the conversation that asks for it and the one that ends with it. Where a template shows a turn
    otherwise once others follow, as without its thoughts, it counts as far as it stays the same.
    """
    spans = list[tuple[int, int]]()
    for place, message in enumerate(messages):
        if message["role"] == "assistant" and (message["content"] or "").strip():
            start = _shared(render(messages[:place], True), text) if place else 0
            if start >= len(text):
                break
            spans.append((start, _shared(render(messages[: place + 1], False), text)))
    return spans


def _shared(one: str, other: str) -> int:
    """The characters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def labelled(tokens: Sequence[int], places: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[int]:
    """The tokens that hold a character of a span, the others without label. Tokens and spans are in order."""
    labels, waiting = list[int](), [span for span in reversed(spans) if span[0] < span[1]]
    for token, (start, end) in zip(tokens, places, strict=True):
        while waiting and waiting[-1][1] <= start:
            waiting.pop()
        labels.append(token if waiting and waiting[-1][0] < end and start < end else NO_LABEL)
    return labels


# --- The training ---------------------------------------------------------------------------------------------


def checkpoints(total: int, *, every: int, most: int) -> list[int]:
    """The steps after which losses are taken: every so many and the last; at `most`, evenly from first to last."""
    steps = sorted({*range(every, total + 1, every), total})
    if len(steps) <= most:
        return steps
    return [steps[place * (len(steps) - 1) // (most - 1)] for place in range(most)]


def batches(examples: Sequence[Example], plan: Plan) -> Iterator[Sequence[Example]]:
    """The rows of each step. Every epoch has an order of its own, which is by the digests of their ids."""
    for epoch in range(plan.epochs):
        order = sorted(examples, key=lambda each: digest("proxy", plan.seed, epoch, each.id))
        yield from (order[start : start + plan.batch] for start in range(0, len(order), plan.batch))


def _load(model: str, revision: str | None, length: int) -> tuple[Any, Any, str | None]:
    """The model in full precision, its tokenizer, and the commit where the Hub told one. Raises ValueError."""
    import torch  # pyright: ignore[reportMissingImports]
    from transformers import AutoModelForCausalLM, AutoTokenizer  # pyright: ignore[reportMissingImports]

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
        proxy = AutoModelForCausalLM.from_pretrained(model, revision=revision, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"no causal language model {model!r} with a tokenizer: {error}") from error
    if not tokenizer.is_fast:
        raise ValueError(f"the tokenizer of {model!r} does not tell where its tokens stand; choose a fast one")
    if length > (positions := getattr(proxy.config, "max_position_embeddings", None) or length):
        raise ValueError(f"length = {length} is more than the {positions} positions of {model!r}")
    if len(tokenizer) > proxy.get_input_embeddings().num_embeddings:
        proxy.resize_token_embeddings(len(tokenizer))
    place = "cuda" if torch.cuda.is_available() else "cpu"
    return proxy.to(place), tokenizer, getattr(proxy.config, "_commit_hash", None) or revision


def _trajectories(
    proxy: Any, examples: Sequence[Example], plan: Plan, watch: Callable[[Progress], None]
) -> tuple[list[int], list[tuple[float, ...]]]:
    """Train to the end. The checkpoints, and for each example its losses at them."""
    learnable = [each for each in examples if each.is_learnable]
    total = plan.epochs * ceil(len(learnable) / plan.batch)
    if not total:
        raise ValueError(f"none of {len(examples)} rows has an answer within {plan.length} tokens: nothing to learn")
    steps = checkpoints(total, every=plan.every, most=plan.most)
    learn, columns = _learner(proxy, total, plan.rate), list[dict[str, float]]()
    for step, chosen in enumerate(batches(learnable, plan), 1):
        watch(Progress(step, total, learn(chosen)))
        if step == steps[len(columns)]:
            columns.append(_losses(proxy, learnable, plan.batch))
    return steps, [tuple(column.get(each.id, nan) for column in columns) for each in examples]


def _learner(proxy: Any, total: int, rate: float) -> Callable[[Sequence[Example]], float]:
    """A step of training: AdamW without decay, on the mean over the tokens of the batch, which it returns."""
    import torch  # pyright: ignore[reportMissingImports]
    from transformers import get_cosine_schedule_with_warmup  # pyright: ignore[reportMissingImports]

    optimizer = torch.optim.AdamW(proxy.parameters(), lr=rate, weight_decay=0.0)
    schedule = get_cosine_schedule_with_warmup(optimizer, ceil(WARMUP * total), total)

    def learn(chosen: Sequence[Example]) -> float:
        proxy.train()
        sums, counts = _of_batch(proxy, chosen)
        loss = sums.sum() / counts.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(proxy.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        return loss.item()

    return learn


def _losses(proxy: Any, examples: Sequence[Example], batch: int) -> dict[str, float]:
    """The mean loss of each example, those of like length together."""
    import torch  # pyright: ignore[reportMissingImports]

    proxy.eval()
    order, found = sorted(examples, key=lambda each: (len(each.tokens), each.id)), dict[str, float]()
    with torch.no_grad():
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            sums, counts = _of_batch(proxy, some)
            found |= zip((each.id for each in some), (sums / counts).tolist(), strict=True)
    return found


def _of_batch(proxy: Any, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """For each example its losses summed up, and the number of tokens that they are of."""
    import torch  # pyright: ignore[reportMissingImports]

    long = max(len(each.tokens) for each in examples)
    tokens, labels, seen = (
        torch.tensor([[*row, *[filler] * (long - len(row))] for row in rows], device=proxy.device)
        for rows, filler in (
            ([each.tokens for each in examples], 0),  # never seen: no token looks ahead
            ([each.labels for each in examples], NO_LABEL),
            ([[1] * len(each.tokens) for each in examples], 0),
        )
    )
    logits = proxy(input_ids=tokens, attention_mask=seen, use_cache=False).logits[:, :-1].float()
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels[:, 1:], ignore_index=NO_LABEL, reduction="none"
    )
    return losses.sum(dim=1), (labels[:, 1:] != NO_LABEL).sum(dim=1)
