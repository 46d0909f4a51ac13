"""What a preview shows: the first draws of a recipe end to end, with the exact prompts."""

from __future__ import annotations

from collections.abc import Iterable

from rich.padding import Padding
from rich.rule import Rule

from flows.show import plain, screen
from flows.story import tell
from pipelines.bind import Recipe
from pipelines.records import Attempt
from pipelines.stage import Shard
from pipelines.story.story import story_of_facts


def preview(recipe: Recipe, shard: Shard) -> None:
    """Print each draw of the shard: every prompt once, as it was sent, and then the story."""
    for draw in range(shard.start, shard.stop):
        screen.print(Rule(f"draw {draw}", style="bold"))
        _prompts(each for each in shard.facts.attempts if each.draw == draw)
        tell(story_of_facts(shard.facts, draw), title=f"draw {draw}")
    screen.print(f"{len(shard.live)} of {shard.stop - shard.start} draws got through the line of {recipe.name}")


def _prompts(attempts: Iterable[Attempt]) -> None:
    seen: set[str] = set()
    for attempt in attempts:
        if attempt.prompt not in seen:
            seen.add(attempt.prompt)
            screen.print(plain(f"prompt {attempt.prompt}, {attempt.sampling}", style="bold"))
            for turn in attempt.turns[:-1]:
                screen.print(Padding(plain(f"[{turn.role}]\n{turn.content}", style="dim"), (0, 0, 0, 2)))
