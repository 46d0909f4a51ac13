"""Every rule there is, by the name that recipes use."""

from __future__ import annotations

from collections.abc import Iterable

from filters import (
    agreement,
    answers,
    blending,
    cascade,
    clusters,
    consistency,
    contamination,
    difficulty,
    embedding_novelty,
    entropy,
    form,
    gold,
    leak,
    near_duplicates,
    novelty,
    pairs,
    pessimism,
    rip,
    selection,
    selection_groups,
    selection_s2l,
    solutions,
    soundness,
    system2,
    tasks,
    thoughts,
    trace,
    trace_coherence,
    trace_graph,
    trace_text,
    votes,
    wording,
)
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


MATCHES = answers.answer_matches_compares

# Raise a rule's version with any change that may change a ruling: facts name rules as "novelty@1".
RULES = table(
    [
        ("form", Rule(form.form, 1, "row")),
        ("answer_form", Rule(form.answer_form, 1, "row")),
        ("no_words", Rule(wording.no_words, 1, "row")),
        ("plain_beginning", Rule(wording.plain_beginning, 1, "row")),
        ("no_refusal", Rule(wording.no_refusal, 1, "row")),
        ("short_answer", Rule(form.short_answer, 1, "row")),
        ("no_leak", Rule(leak.no_leak, 2, "row", leak.no_leak_compares)),
        ("gold", Rule(gold.gold, 1, "row", gold.gold_compares)),
        ("sound", Rule(soundness.sound, 1, "row", soundness.sound_compares)),
        ("task_sound", Rule(tasks.task_sound, 2, "row", tasks.task_sound_compares)),
        ("not_duplicate", Rule(novelty.not_duplicate, 2, "ordered")),
        ("novelty", Rule(novelty.novelty, 1, "ordered")),
        ("not_near_duplicate", Rule(near_duplicates.not_near_duplicate, 2, "ordered")),
        ("embedding_novelty", Rule(embedding_novelty.embedding_novelty, 1, "ordered")),
        ("contamination", Rule(contamination.contamination, 1, "row")),
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
        ("agreed", Rule(agreement.agreed, 2, "row")),
        ("worst_reward", Rule(rip.worst_reward, 1, "row")),
        ("rip", Rule(rip.rip, 1, "snapshot")),
        ("switches", Rule(trace.switches, 1, "row")),
        ("strategy_count", Rule(trace.strategy_count, 1, "row")),
        ("review_ratio", Rule(trace.review_ratio, 1, "row")),
        ("boundary", Rule(trace.boundary, 1, "row")),
        ("no_void_turns", Rule(trace.no_void_turns, 2, "row")),
        ("coherent", Rule(trace_coherence.coherent, 1, "row")),
        ("failed_steps", Rule(trace_graph.failed_steps, 2, "row")),
        ("not_repetitive", Rule(trace_text.not_repetitive, 2, "row")),
        ("one_language", Rule(trace_text.one_language, 1, "row")),
        ("no_prompt_words", Rule(trace_text.no_prompt_words, 1, "row")),
        ("no_leak_words", Rule(thoughts.no_leak_words, 1, "row")),
        ("not_repeated", Rule(thoughts.not_repeated, 1, "row")),
        ("thought_and_answer", Rule(thoughts.thought_and_answer, 2, "row")),
        ("thought_class", Rule(thoughts.thought_class, 1, "row", MATCHES)),
        ("thought_picks", Rule(thoughts.thought_picks, 1, "row")),
        ("not_replaced", Rule(thoughts.not_replaced, 1, "row")),
        ("usable", Rule(thoughts.usable, 2, "row")),
        ("trace_length", Rule(difficulty.trace_length, 1, "row")),
        ("balanced", Rule(difficulty.balanced, 1, "row", MATCHES)),
        ("learnable", Rule(difficulty.learnable, 1, "row", MATCHES)),
        ("still_hard", Rule(difficulty.still_hard, 1, "row")),
        ("unsolved", Rule(difficulty.unsolved, 1, "row", MATCHES)),
        ("variance_promotion", Rule(difficulty.variance_promotion, 1, "row", MATCHES)),
        ("weak_strong_gap", Rule(difficulty.weak_strong_gap, 1, "row", MATCHES)),
        ("teachable", Rule(difficulty.teachable, 1, "row", MATCHES)),
        ("disagreement", Rule(difficulty.disagreement, 1, "row", difficulty.disagreement_compares)),
        ("verbosity", Rule(difficulty.verbosity, 1, "row", MATCHES)),
        ("process_consistent", Rule(selection_groups.process_consistent, 1, "row", MATCHES)),
        ("shortest_right", Rule(selection_groups.shortest_right, 1, "row", MATCHES)),
        ("best_right", Rule(selection_groups.best_right, 1, "row", MATCHES)),
        ("length_weighted", Rule(selection_groups.length_weighted, 2, "row")),
        ("both_orders", Rule(pairs.both_orders, 1, "row")),
        ("score_order", Rule(pairs.score_order, 1, "row")),
        ("unlike", Rule(solutions.unlike, 1, "row")),
        ("both_sides", Rule(solutions.both_sides, 1, "row", MATCHES)),
        ("made_by", Rule(solutions.made_by, 1, "row")),
        ("system2", Rule(system2.system2, 1, "row")),
        ("system2_by_chance", Rule(system2.system2_by_chance, 1, "row")),
        ("top_k", Rule(selection.top_k, 1, "snapshot")),
        ("bottom_k", Rule(selection.bottom_k, 1, "snapshot")),
        ("quantile_band", Rule(selection.quantile_band, 2, "snapshot")),
        ("random_k", Rule(selection.random_k, 1, "snapshot")),
        ("diverse_strategies", Rule(selection.diverse_strategies, 1, "snapshot")),
        ("variance_sampled", Rule(selection.variance_sampled, 1, "snapshot")),
        ("semantic_clusters", Rule(clusters.semantic_clusters, 1, "snapshot", reads_questions=True)),
        ("cluster_balanced", Rule(selection.cluster_balanced, 1, "snapshot")),
        ("blend", Rule(blending.blend, 1, "snapshot")),
        ("skill_coverage", Rule(selection.skill_coverage, 1, "snapshot")),
        ("s2l", Rule(selection_s2l.s2l, 2, "snapshot")),
    ]
)
