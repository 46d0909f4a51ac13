"""How often the builtin engine goes wrong, and in which way."""

import dataclasses
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities (0 to 1) of each kind of mistake; the defaults give every filter something to catch.

    `slip` is for each step of a solution; it grows with every later step and is scaled by a number that
    belongs to the problem, so that some problems nearly always fail and others never do. The others are
    for each reply. At most one fault of posing befalls a reply. Raises `ValueError` out of bounds.
    """

    wrong_author: float = 0.13
    """A posed problem comes with a plausible wrong answer."""
    slip: float = 0.018
    """One step of a solution is miscalculated, and the mistake is carried on."""
    malformed: float = 0.04
    """The reply does not have the form that was asked for (tags, one question, one box)."""
    truncated: float = 0.02
    """The reply runs on until it is cut."""
    near_duplicate: float = 0.04
    """A seed or a well-worn stock problem is posed again, almost word for word."""
    ambiguous: float = 0.04
    """The posed problem leaves a quantity open, so that it has many readings and no answer."""
    leak: float = 0.03
    """The posed question gives its own answer away."""
    refuse: float = 0.01
    """The engine declines a request it could have served."""
    defective: float = 0.2
    """A posed instruction lacks its material, contradicts itself, or says too little."""
    task_unusable: float = dataclasses.field(default=0.1, repr=False)
    """A task for a list is about pictures or files, wants a program, begins with a sign, or is too short."""
    instance_bad: float = dataclasses.field(default=0.08, repr=False)
    """An instance has no output, one like its input, or a colon at its end; or two contradict each other."""
    review_wrong: float = dataclasses.field(default=0.08, repr=False)
    """A yes or no about a task is the opposite of what would be true."""
    review_unread: float = dataclasses.field(default=0.03, repr=False)
    """A yes or no about a task is not in the form that was asked for."""
    evolve_idle: float = dataclasses.field(default=0.1, repr=False)
    """A task that is to be made harder is only said in other words."""
    evolve_leak: float = dataclasses.field(default=0.05, repr=False)
    """A rewritten task speaks of the rewriting."""
    evolve_beyond: float = dataclasses.field(default=0.04, repr=False)
    """A rewritten task asks for what the engine cannot do, and says so when it is asked."""
    last_only: float = dataclasses.field(default=0.03, repr=False)
    """Of a chain of problems only the last answer is listed."""
    misjudge_key: float = dataclasses.field(default=0.08, repr=False)
    """A number of a problem is called key though the answer does not hang on it, or the other way round."""
    misjudge: float = field(default=0.08, repr=False)
    """A judgement is turned round: right for wrong, the worse for the better, a strategy missed."""
    first_place: float = field(default=0.08, repr=False)
    """Of two responses the first is preferred, whatever it says."""
    vague: float = field(default=0.08, repr=False)
    """A critique says nothing that could be checked."""

    bad_key: float = dataclasses.field(default=0.015, repr=False)
    """The key of a choice about a passage stands there twice, or nowhere."""
    misread: float = dataclasses.field(default=0.25, repr=False)
    """A passage is misread, more often where it is hard."""
    leak_words: float = dataclasses.field(default=0.45, repr=False)
    """A thought speaks of what it was told, where it should only look."""
    unclosed: float = dataclasses.field(default=0.04, repr=False)
    """A long thought never ends, or has no answer behind it."""
    copied: float = dataclasses.field(default=0.05, repr=False)
    """A long thought copies from the demonstrations that it was shown."""
    bug: float = dataclasses.field(default=0.3, repr=False)
    """A program has a small fault; scaled by a number that belongs to the task."""
    misread_task: float = dataclasses.field(default=0.05, repr=False)
    """A programming task is misunderstood, by all who read it: programs and tests are wrong together."""
    wrong_test: float = dataclasses.field(default=0.15, repr=False)
    """One of some unit tests expects a wrong result."""
    idle_tests: float = dataclasses.field(default=0.1, repr=False)
    """Unit tests accept whatever has the right type."""
    bad_repair: float = dataclasses.field(default=0.4, repr=False)
    """A program is not repaired: it learns the tests that are shown by heart, or has another fault, or the same."""
    bad_evaluation: float = dataclasses.field(default=0.25, repr=False)
    """What should check a task in an environment is no Python, or crashes."""
    bad_solution: float = dataclasses.field(default=0.2, repr=False)
    """The solution of a task in an environment does not do it."""
    weak_evaluation: float = dataclasses.field(default=0.15, repr=False)
    """What should check a task in an environment is content with too much."""
    bad_episode: float = dataclasses.field(default=0.25, repr=False)
    """A task in an environment is done wrong; scaled by a number that belongs to the task, up to always."""
    detour: float = dataclasses.field(default=0.45, repr=False)
    """Thinking in paragraphs turns away behind a step, and comes back with nothing."""
    unbanned: float = dataclasses.field(default=0.08, repr=False)
    """Words that are banned are said all the same, as by an endpoint that knows of no ban."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0 <= value <= 1:
                raise ValueError(f"{each.name} is a probability between 0 and 1, not {value!r}")
        posing = self.wrong_author + self.malformed + self.truncated + self.near_duplicate
        posing += self.ambiguous + self.leak + self.refuse
        if posing > 1:
            raise ValueError(f"the faults of posing exclude one another, yet they add up to {posing:.3g}")


NONE = Faults(
    wrong_author=0,
    slip=0,
    malformed=0,
    truncated=0,
    near_duplicate=0,
    ambiguous=0,
    leak=0,
    refuse=0,
    defective=0,
    bad_key=0,
    misread=0,
    leak_words=0,
    unclosed=0,
    copied=0,
    task_unusable=0,
    instance_bad=0,
    review_wrong=0,
    review_unread=0,
    evolve_idle=0,
    evolve_leak=0,
    evolve_beyond=0,
    last_only=0,
    misjudge_key=0,
    misjudge=0,
    first_place=0,
    vague=0,
    bug=0,
    misread_task=0,
    wrong_test=0,
    idle_tests=0,
    bad_repair=0,
    bad_evaluation=0,
    bad_solution=0,
    weak_evaluation=0,
    bad_episode=0,
    detour=0,
    unbanned=0,
)
