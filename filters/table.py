"""Every rule there is, by the name that recipes use."""

from __future__ import annotations

from collections.abc import Iterable

from filters import answers, cascade, consistency, entropy, form, gold, leak, novelty, pessimism, rip, votes
from filters.rule import Rule


class UnknownRule(ValueError):
    """No rule has this name; the message lists those that exist."""


def rule(name: str) -> Rule:
    """The rule of that name. Raises UnknownRule."""
    if name not in RULES:
        raise UnknownRule(f"no rule {name!r}; there are: {', '.join(RULES)}")
    return RULES[name]


def table(entries: Iterable[tuple[str, Rule]]) -> dict[str, Rule]:
    """The entries by name. Raises ValueError for a name that comes twice, which a plain dict would not notice."""
    rules: dict[str, Rule] = {}
    for name, entry in entries:
        if name in rules:
            raise ValueError(f"two rules are named {name!r}; there are: {', '.join(rules)}")
        rules[name] = entry
    return rules


# Raise a rule's version with any change that may change a ruling: facts name rules as "novelty@1".
RULES = table(
    [
        ("form", Rule(form.form, 1, "row")),
        ("answer_form", Rule(form.answer_form, 1, "row")),
        ("no_leak", Rule(leak.no_leak, 2, "row", leak.no_leak_compares)),
        ("gold", Rule(gold.gold, 1, "row", gold.gold_compares)),
        ("not_duplicate", Rule(novelty.not_duplicate, 1, "ordered")),
        ("novelty", Rule(novelty.novelty, 1, "ordered")),
        ("finished", Rule(answers.finished, 1, "row")),
        ("answer_matches", Rule(answers.answer_matches, 2, "row", answers.answer_matches_compares)),
        ("pass_rate", Rule(answers.pass_rate, 2, "row", answers.answer_matches_compares)),
        ("answer_consistency", Rule(votes.answer_consistency, 1, "row", votes.answer_consistency_compares)),
        ("self_consistency", Rule(votes.self_consistency, 1, "row", votes.self_consistency_compares)),
        ("weighted_vote", Rule(votes.weighted_vote, 1, "row", votes.self_consistency_compares)),
        ("best_of_n", Rule(votes.best_of_n, 1, "row")),
        ("semantic_entropy", Rule(entropy.semantic_entropy, 1, "row", votes.self_consistency_compares)),
        ("pessimistic_vote", Rule(pessimism.pessimistic_vote, 1, "row", votes.self_consistency_compares)),
        ("gold_agrees", Rule(pessimism.gold_agrees, 1, "row", votes.answer_consistency_compares)),
        ("label", Rule(cascade.label, 1, "row")),
        ("option_consistency", Rule(consistency.option_consistency, 1, "row")),
        ("worst_reward", Rule(rip.worst_reward, 1, "row")),
        ("rip", Rule(rip.rip, 1, "snapshot")),
    ]
)
