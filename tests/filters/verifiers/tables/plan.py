"""Plans that reach their goals, plans that nearly do, and texts that only claim it: blocks, parcels, a river."""

import json

BLOCKS_ACTIONS = {
    "pick-up ?x": {
        "pre": ["clear ?x", "on-table ?x", "hand-empty"],
        "add": ["holding ?x"],
        "del": ["clear ?x", "on-table ?x", "hand-empty"],
    },
    "put-down ?x": {"pre": ["holding ?x"], "add": ["clear ?x", "on-table ?x", "hand-empty"], "del": ["holding ?x"]},
    "stack ?x ?y": {
        "pre": ["holding ?x", "clear ?y"],
        "add": ["on ?x ?y", "clear ?x", "hand-empty"],
        "del": ["holding ?x", "clear ?y"],
    },
    "unstack ?x ?y": {
        "pre": ["on ?x ?y", "clear ?x", "hand-empty"],
        "add": ["holding ?x", "clear ?y"],
        "del": ["on ?x ?y", "clear ?x", "hand-empty"],
    },
}


def _task(actions: dict, init: list[str], goal: list[str], **more) -> str:
    return json.dumps({"init": init, "goal": goal, "actions": actions, **more})


def _answer(*actions: str) -> str:
    return "\n".join(("<answer>", *actions, "</answer>"))


TOWER = ["on a b", "on-table b", "on-table c", "clear a", "clear c", "hand-empty"]
SUSSMAN = ["on c a", "on-table a", "on-table b", "clear c", "clear b", "hand-empty"]
BLOCKS = _task(BLOCKS_ACTIONS, TOWER, ["on b c"])
SHORTEST = _task(
    BLOCKS_ACTIONS,
    SUSSMAN,
    ["on a b", "on b c"],
    optimal=True,
    solution=["unstack c a", "put-down c", "pick-up b", "stack b c", "pick-up a", "stack a b"],
)
SELF = _task(BLOCKS_ACTIONS, TOWER, ["on a a"], solution=None)

PARCEL = _task(
    {
        "drive ?from ?to": {"pre": ["truck ?from", "road ?from ?to"], "add": ["truck ?to"], "del": ["truck ?from"]},
        "load ?p ?where": {
            "pre": ["parcel ?p", "at ?p ?where", "truck ?where"],
            "add": ["in ?p"],
            "del": ["at ?p ?where"],
        },
        "unload ?p ?where": {"pre": ["in ?p", "truck ?where"], "add": ["at ?p ?where"], "del": ["in ?p"]},
    },
    [
        "truck depot",
        "road depot town",
        "road town depot",
        "road town farm",
        "road farm town",
        "parcel p1",
        "parcel p2",
        "at p1 depot",
        "at p2 farm",
    ],
    ["at p1 farm", "at p2 depot"],
    max_steps=9,
)

_BANKS = [["at wolf ?s", "at goat ?s", "not at farmer ?s"], ["at goat ?s", "at cabbage ?s", "not at farmer ?s"]]
RIVER = _task(
    {
        "cross ?from ?to": {
            "pre": ["at farmer ?from", "bank ?to", "not = ?from ?to"],
            "add": ["at farmer ?to"],
            "del": ["at farmer ?from"],
        },
        "take ?who ?from ?to": {
            "pre": ["at farmer ?from", "at ?who ?from", "bank ?to", "not = ?from ?to", "not = ?who farmer"],
            "add": ["at farmer ?to", "at ?who ?to"],
            "del": ["at farmer ?from", "at ?who ?from"],
        },
    },
    ["bank left", "bank right", *(f"at {who} left" for who in ("farmer", "wolf", "goat", "cabbage"))],
    [f"at {who} right" for who in ("farmer", "wolf", "goat", "cabbage")],
    never=[[fact.replace("?s", side) for fact in group] for group in _BANKS for side in ("left", "right")],
    optimal=True,
)
MAZE = _task(
    {"go ?from ?to": {"pre": ["at ?from", "path ?from ?to"], "add": ["at ?to"], "del": ["at ?from"]}},
    ["at a", "path a b", "path b a", "path b c", "path d c"],
    ["at d"],
)
SWITCH = _task(
    {"press": {"pre": ["not lit"], "add": ["lit"]}, "press-again": {"pre": ["lit"], "del": ["lit"]}},
    [],
    ["lit"],
    max_steps=3,
)
DONE = _task({"wait": {}}, ["open door"], ["open door"], optimal=True)

HITS: list[tuple[str, str]] = [
    (BLOCKS, "First free b.\n\n1. unstack a b\n2. put-down a\n3. pick-up b\n4. stack b c"),
    (BLOCKS, "<answer>\n(unstack a b)\n(put-down a)\n(pick-up b)\n(stack b c)\n</answer>"),
    (BLOCKS, '```json\n["unstack a b", "put-down a", "pick-up b", "stack b c"]\n```'),
    (BLOCKS, "Plan:\nunstack(a, b)\nput-down(a)\npick-up(b)\nstack(b, c)\n\nNow b is on c."),
    (BLOCKS, "Step 1: unstack a b\nStep 2: put-down a\nStep 3: pick-up b\nStep 4: stack b c"),
    (BLOCKS, "<answer>unstack A B\nput-down A\npick-up B\nstack B C</answer>"),
    (BLOCKS, "```\n0: (unstack a b)\n1: (put-down a)\n2: (pick-up b)\n3: (stack b c)\n; cost = 4 (unit cost)\n```"),
    (BLOCKS, "- unstack a b  # frees b\n- put-down a\n- pick-up b\n- stack b c"),
    (BLOCKS, "**Step 1:** unstack a b\n**Step 2:** put-down a\n**Step 3:** pick-up b\n**Step 4:** stack b c"),
    (BLOCKS, "The hand has to let go of a.\n\nunstack a b\nput-down a\npick-up b\nstack b c\nunstack b c\nstack b c"),
    (SHORTEST, "<answer>\nunstack c a\nput-down c\npick-up b\nstack b c\npick-up a\nstack a b\n</answer>"),
    (SHORTEST, "1. unstack c a\n2. put-down c\n3. pick-up b\n4. stack b c\n5. pick-up a\n6. stack a b"),
    (SELF, "A block cannot stand on itself.\n<answer>no plan</answer>"),
    (SELF, "The answer is: There is no valid plan."),
    (SELF, r"\boxed{impossible}"),
    (
        PARCEL,
        _answer(
            "load p1 depot",
            "drive depot town",
            "drive town farm",
            "unload p1 farm",
            "load p2 farm",
            "drive farm town",
            "drive town depot",
            "unload p2 depot",
        ),
    ),
    (
        PARCEL,
        _answer(
            "load p1 depot",
            "drive depot town",
            "drive town farm",
            "load p2 farm",
            "unload p1 farm",
            "drive farm town",
            "drive town depot",
            "unload p2 depot",
        ),
    ),
    (
        PARCEL,
        '["load(p1, depot)", "drive(depot, town)", "drive(town, farm)", "unload(p1, farm)",\n'
        ' "load(p2, farm)", "drive(farm, town)", "drive(town, depot)", "unload(p2, depot)"]',
    ),
    (
        RIVER,
        _answer(
            "take goat left right",
            "cross right left",
            "take wolf left right",
            "take goat right left",
            "take cabbage left right",
            "cross right left",
            "take goat left right",
        ),
    ),
    (
        RIVER,
        "1) take goat left right\n2) cross right left\n3) take cabbage left right\n4) take goat right left\n"
        "5) take wolf left right\n6) cross right left\n7) take goat left right",
    ),
    (MAZE, "From c no path leads to d, so <answer>no plan exists</answer>"),
    (MAZE, "**Answer:** infeasible"),
    (MAZE, "```\nno plan\n```"),
    (MAZE, "The answer is: no solution."),
    (MAZE, r"The task is \boxed{unsolvable}"),
    (SWITCH, "<answer>press</answer>"),
    (SWITCH, "<answer>press\npress-again\npress</answer>"),
    (SWITCH, r"Simply \boxed{press}"),
    (SWITCH, "It is dark.\n\npress"),
    (DONE, "Nothing is to be done.\n<answer>[]</answer>"),
    (DONE, "```json\n[]\n```"),
]

MISSES: list[tuple[str, str]] = [
    (BLOCKS, "1. unstack a b\n2. put-down a\n3. pick-up b"),
    (BLOCKS, "1. unstack a b\n2. pick-up b\n3. stack b c"),
    (BLOCKS, "1. pick-up b\n2. stack b c"),
    (BLOCKS, "<answer>unstack a b\nput-down a\npick-up b\nstack c b</answer>"),
    (BLOCKS, "<answer>unstack a b\nput-down a\npick-up b\nstack b c\nunstack b c</answer>"),
    (BLOCKS, "<answer>move b c</answer>"),
    (BLOCKS, "<answer>unstack a b\nput-down a\npick-up b\nstack b d</answer>"),
    (BLOCKS, "<answer>unstack a b c\nput-down a\npick-up b\nstack b c</answer>"),
    (BLOCKS, "<answer>unstack a from b\nput-down a\npick-up b\nstack b c</answer>"),
    (BLOCKS, "<answer>no plan</answer>"),
    (
        SHORTEST,
        _answer(
            "unstack c a", "put-down c", "pick-up b", "stack b c", "pick-up a", "put-down a", "pick-up a", "stack a b"
        ),
    ),
    (SHORTEST, "<answer>unstack c a\nput-down c\npick-up a\nstack a b</answer>"),
    (SHORTEST, "<answer>pick-up b\nstack b c\npick-up a\nstack a b</answer>"),
    (SHORTEST, "<answer>infeasible</answer>"),
    (SELF, "<answer>unstack a b\nstack a a</answer>"),
    (SELF, "<answer>unstack a b\nstack a b</answer>"),
    (SELF, "<answer>[]</answer>"),
    (
        PARCEL,
        _answer(
            "load p1 depot",
            "drive depot farm",
            "unload p1 farm",
            "load p2 farm",
            "drive farm depot",
            "unload p2 depot",
        ),
    ),
    (PARCEL, "<answer>load p1 depot\ndrive depot town\ndrive town farm\nunload p1 farm</answer>"),
    (PARCEL, "<answer>drive depot town\nload p1 depot</answer>"),
    (
        PARCEL,
        _answer(
            "load p1 depot",
            "drive depot town",
            "drive town depot",
            "drive depot town",
            "drive town farm",
            "unload p1 farm",
            "load p2 farm",
            "drive farm town",
            "drive town depot",
            "unload p2 depot",
        ),
    ),
    (PARCEL, "<answer>unload p1 farm\nunload p2 depot</answer>"),
    (RIVER, "<answer>take wolf left right\ncross right left\ntake goat left right</answer>"),
    (
        RIVER,
        _answer(
            "take goat left right",
            "cross right left",
            "take wolf left right",
            "cross right left",
            "take cabbage left right",
        ),
    ),
    (
        RIVER,
        _answer(
            "take goat left right",
            "cross right left",
            "cross left right",
            "cross right left",
            "take wolf left right",
            "take goat right left",
            "take cabbage left right",
            "cross right left",
            "take goat left right",
        ),
    ),
    (RIVER, "<answer>take farmer left right</answer>"),
    (RIVER, "<answer>cross left left</answer>"),
    (RIVER, "<answer>impossible</answer>"),
    (MAZE, "<answer>go a b\ngo b c\ngo c d</answer>"),
    (MAZE, "<answer>go a b\ngo b c</answer>"),
    (MAZE, "<answer>[]</answer>"),
    (SWITCH, "<answer>press\npress</answer>"),
    (SWITCH, "<answer>press\npress-again</answer>"),
    (SWITCH, "<answer>press\npress-again\npress\npress-again\npress</answer>"),
    (SWITCH, "<answer>no plan</answer>"),
    (DONE, "<answer>wait</answer>"),
    (DONE, "<answer>no plan</answer>"),
]

CHEATS: list[tuple[str, str]] = [
    (BLOCKS, "<answer></answer>"),
    (BLOCKS, "Solution:"),
    (BLOCKS, "<answer>[]</answer>"),
    (BLOCKS, "<answer>on b c</answer>"),
    (BLOCKS, "<answer>the goal is reached</answer>"),
    (BLOCKS, "<answer>stack b c</answer>"),
    (BLOCKS, "<answer>no plan\nunstack a b</answer>"),
    (BLOCKS, "<answer>" + "unstack a b\nstack a b\n" * 2_000 + "</answer>"),
    (BLOCKS, "<answer>pick-up ?x\nstack ?x c</answer>"),
    (BLOCKS, '<answer>[["unstack", "a"]]</answer>'),
    (SHORTEST, "<answer>shortest plan</answer>"),
    (SELF, "<answer>there might be no plan</answer>"),
    (RIVER, "<answer>take goat left right, cross right left</answer>"),
    (MAZE, "<answer>go a d</answer>"),
    (MAZE, "<answer>teleport d</answer>"),
    (SWITCH, "<answer>not press</answer>"),
    (_task({"press": {}}, ["lit"], []), "<answer>press</answer>"),
]
