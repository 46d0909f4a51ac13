"""Two kinds of task that take an input: naming one of few labels, and working on some words."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Labels(NamedTuple):
    """A classification: what is sorted, into which labels, and inputs by label."""

    thing: str
    inputs: dict[str, tuple[str, ...]]


def _labels(thing: str, **inputs: str) -> Labels:
    return Labels(thing, {label.replace("_", " "): tuple(said.split("|")) for label, said in inputs.items()})


LABELS = (
    _labels(
        "a guest's comment",
        pleased="We slept well and the bread was warm.|The staff found us a table by the window.|A quiet week, and "
        "the lake at the door.",
        annoyed="The heating rattled all night.|Nobody answered the bell for an hour.|Our room looked onto the bins.",
        undecided="The soup was good, the wine was not.|Lovely garden, thin walls.|It was neither better nor worse "
        "than last year.",
    ),
    _labels(
        "a sentence",
        question="Where did you leave the ladder?|Has the ferry come yet?|Who feeds the geese?",
        command="Close the gate behind you.|Bring two chairs.|Write to your aunt tonight.",
        statement="The ferry comes at nine.|My aunt keeps geese.|The ladder stands in the barn.",
    ),
    _labels(
        "an animal's description",
        bird="It has hollow bones and a beak.|It lays eggs in a nest and sings at dawn.|It moults its feathers twice "
        "a year.",
        fish="It breathes through gills.|It has scales and a swim bladder.|It spawns in the gravel of rivers.",
        mammal="It suckles its young.|It has fur and lives in a burrow.|It hangs from rafters and nurses one pup.",
    ),
    _labels(
        "a letter to the town hall",
        complaint="The lamp in our street has been dark for a month.|Lorries park in front of the school again.",
        request="Please send me the form for a market stall.|May we close the lane for a feast in June?",
        thanks="The new benches by the river are a joy.|Your clerk helped my mother with great patience.",
    ),
    _labels(
        "a line of a diary",
        past="Yesterday we rowed to the island.|In spring I planted the beans.|We walked until it was dark.",
        present="I am sitting on the pier.|The kettle sings while I write.|It is raining on the tent.",
        future="Tomorrow I shall ask her.|Next week the roof will be mended.|In June we are going to sail.",
    ),
    _labels(
        "a message from a colleague",
        urgent="The server room is flooding.|The client is at the door, where are you?",
        can_wait="Some day we should sort the old folders.|If you ever pass by, bring back my stapler.",
    ),
    _labels(
        "a claim about arithmetic",
        true="Seven times eight is fifty-six.|Every multiple of four is even.",
        false="Nine is a prime number.|Half of thirty is twelve.",
    ),
    _labels(
        "a notice on a board",
        formal="Residents are requested to refrain from smoking.|The annual meeting will be convened on Monday.",
        casual="Hey, whoever took my bike, not cool!|Free kittens, come and get them.",
    ),
    _labels(
        "an ingredient",
        sweet="honey|ripe figs|maple syrup",
        sour="lemon juice|vinegar|rhubarb",
        salty="soy sauce|anchovies|brine",
    ),
    _labels(
        "a pair of statements",
        agree="The shop is shut. Nobody can buy bread there now.|Ann is older than Bo. Bo is younger than Ann.",
        contradict="The lake is frozen. Children swim in it.|All the pears are gone. Two pears are left.",
    ),
    _labels(
        "a headline",
        sport="Rowers win by half a length|Veteran keeper saves three penalties",
        weather="Storm tears tiles from church roof|Third week without a drop of rain",
        business="Mill lays off forty workers|Bakers raise the price of rye",
    ),
    _labels(
        "a step of a recipe",
        preparing="Peel and dice the onions.|Soak the beans overnight.",
        cooking="Simmer for twenty minutes.|Roast until the skin is brown.",
        serving="Sprinkle with parsley and bring to the table.|Pour into warm bowls.",
    ),
)

ASKING = (
    "Decide whether {} is {}.",
    "Tell which of these fits {}: {}.",
    "Classify {} as {}.",
    "Read {} and answer with one label: {}.",
    "You are given {}; sort it as {}.",
    "For the assistant of an archive, mark {} as {}, without a reason.",
)


def classification(rng: Random) -> str:
    """A task whose output is one of few labels."""
    labels = rng.choice(LABELS)
    names = list(labels.inputs)
    listed = f"{', '.join(names[:-1])} or {names[-1]}"
    return rng.choice(ASKING).format(labels.thing, listed)


def labels_of(task: str) -> Labels | None:
    """The classification that a task is, if it is one of ours."""
    return next((each for each in LABELS if each.thing in task and all(name in task for name in each.inputs)), None)


class Work(NamedTuple):
    """Something done with some words: how it is asked for, and how it is done."""

    asked: tuple[str, ...]
    done: Callable[[list[str]], str]


def _work(asked: str, done: Callable[[list[str]], str]) -> Work:
    return Work(tuple(asked.split("|")), done)


WORK = (
    _work("Put the given {} into alphabetical order|Sort these {} from A to Z", lambda w: ", ".join(sorted(w))),
    _work("Turn round the order of the given {}|List the {} backwards", lambda w: ", ".join(reversed(w))),
    _work("Count the {} in the input|How many {} does the list hold", lambda w: str(len(w))),
    _work("Find the longest of the {}|Which of the given {} has most letters", lambda w: max(w, key=len)),
    _work("Write the given {} in capitals|Set these {} in upper case", lambda w: ", ".join(w).upper()),
    _work("Join the initials of the {} to one word|Make an acronym of the {}", lambda w: "".join(x[0] for x in w)),
    _work("Leave out every second one of the {}|Keep the odd-numbered {} only", lambda w: ", ".join(w[::2])),
    _work("Number the given {} from one upwards", lambda w: "; ".join(f"{i}. {x}" for i, x in enumerate(w, 1))),
    _work("Drop all vowels from the {}", lambda w: ", ".join("".join(c for c in x if c not in "aeiou") for x in w)),
)
NOUNS = {
    "words": "lantern harbour violet echo saddle orbit thimble meadow copper ladder",
    "names of towns": "lisbon oslo turin quito nairobi perth ghent kyoto leeds tampere",
    "vegetables": "carrot leek fennel radish spinach turnip okra celery parsnip chard",
    "tools": "hammer chisel pliers rasp level wrench mallet plane drill awl",
    "trades": "baker tinker mason glazier cooper weaver farrier tailor potter thatcher",
    "birds": "heron wren magpie osprey plover finch swift bittern kestrel dunlin",
}
PURPOSES = (
    "",
    " for a label",
    ", as a teacher would on the blackboard",
    " so that a child can check it",
    ", separated by commas",
    " before they are printed",
    " for the register of a small museum",
    ", and give no explanation",
)


def handiwork(rng: Random) -> str:
    """A task about some words, which come as its input."""
    asked = rng.choice(rng.choice(WORK).asked).format(rng.choice(list(NOUNS)))
    return f"{asked}{rng.choice(PURPOSES)}{'?' if asked.startswith(('How', 'Which')) else '.'}"


def work_of(task: str) -> tuple[Work, str] | None:
    """What is to be done with which words, if the task is one of ours."""
    found = ((work, noun) for work in WORK for asked in work.asked for noun in NOUNS if asked.format(noun) in task)
    return max(found, key=lambda each: len(each[1]), default=None)
