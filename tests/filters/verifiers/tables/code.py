"""Cases for code: a reference, and a response as models write them."""

from __future__ import annotations

import json
from typing import Any


def _reference(**parts: Any) -> str:
    return json.dumps(parts)


ADD = _reference(entry_point="add", cases=[{"args": [1, 2], "expected": 3}, {"args": [-1, 1], "expected": 0}])
PAIRS = _reference(entry_point="pairs", cases=[{"args": [[1, 2, 3]], "expected": [[1, 2], [2, 3]]}])
MEAN = _reference(entry_point="mean", cases=[{"args": [[1, 2, 4]], "expected": 2.3333}], tolerance=1e-4)
COUNT = _reference(asserts=["assert count('abca') == {'a': 2, 'b': 1, 'c': 1}", "assert count('') == {}"])
UNIQUE = _reference(asserts=["assert set(unique([1, 1, 2])) == {1, 2}", "assert len(unique([3, 3])) == 1"])
ROOT = _reference(
    setup="import math", asserts=["assert math.isclose(root(2), 1.4142135, rel_tol=1e-6)", "assert root(9) == 3"]
)
POSITIVE = _reference(
    entry_point="positive",
    test=(
        "def check(candidate):\n"
        "    for n in range(1, 5):\n"
        "        assert candidate(n) is True\n"
        "    try:\n"
        "        candidate('x')\n"
        "        assert False, 'no error'\n"
        "    except ValueError:\n"
        "        pass\n"
    ),
)
FACTORIAL = _reference(
    entry_point="factorial",
    prompt='def factorial(n: int) -> int:\n    """Return n! for n of at least 0."""\n',
    test=(
        "def check(candidate):\n"
        "    assert candidate(0) == 1\n"
        "    assert candidate(30) == 265252859812191058636308480000000\n"
    ),
)
TWO_SUM = _reference(
    entry_point="Solution.twoSum",
    prompt="from typing import List\n",
    cases=[{"args": [[2, 7, 11, 15], 9], "expected": [0, 1]}, {"args": [[3, 3], 6], "expected": [0, 1]}],
)
SORTED = _reference(asserts=["x = [3, 1, 2]\norder(x)\nassert x == [1, 2, 3]"])
SUM = _reference(io=[{"input": "1 2\n", "output": "3\n"}, {"input": "-5 5\n", "output": "0\n"}])
TABLE = _reference(io=[{"input": "2\n", "output": "1 2\n2 4\n"}])
HALF = _reference(
    io=[{"input": "1\n", "output": "0.5\n"}, {"input": "2\n", "output": "0.6666666667\n"}], tolerance=1e-6
)

HITS: list[tuple[str, str]] = [
    # Several blocks: the one that defines what is asked for, with what it needs of those before
    (
        ADD,
        "```python\ndef add(a, b):\n    return a + b\n```\n"
        "```python\ndef test_add():\n    assert add(1, 2) == 3\n```",
    ),
    (
        ADD,
        "```python\ndef add(a, b):\n    return a + b\n```\n```python\ndef main():\n    print(add(1, 2))\nmain()\n```",
    ),
    (
        ADD,
        "```python\ndef add(a, b):\n    return a + b\n```\n```python\nimport pytest\n\ndef test_it():\n    pass\n```",
    ),
    (ADD, "```python\ndef add(a, b):\n    return a + b\n```\n```python\ndef add_slow(a, b):\n    return -1\n```"),
    (
        ADD,
        "```python\nimport math\ndef help(x):\n    return math.fsum(x)\n```\n"
        "Then\n```python\ndef add(a, b):\n    return help([a, b])\n```",
    ),
    (
        COUNT,
        "```python\nfrom collections import Counter\n```\nThen\n```python\ndef count(s):\n    return Counter(s)\n```",
    ),
    (
        SUM,
        "```python\ndef add(a, b):\n    return a + b\n```\n"
        "Then\n```python\na, b = map(int, input().split())\nprint(add(a, b))\n```",
    ),
    (SUM, "```python\nprint(sum(map(int, input().split())))\n```\nOutput:\n```\n8\n```"),
    (SUM, "```python\nprint(sum(map(int, input().split())))\n```\n```python\ndef test_it():\n    assert 1\n```"),
    (
        FACTORIAL,
        "```python\n    return n * factorial(n - 1) if n else 1\n```\nTry it:\n```python\nprint(factorial(3))\n```",
    ),
    # Without a fence
    (ADD, "Sure!\n\ndef add(a, b):\n    return a + b\n\nThis adds the numbers."),
    (ADD, "def add(a, b):\n    return a + b\n[DONE]"),
    (ADD, "```python\ndef add(a, b):\n    return a + b\n```"),
    (
        ADD,
        """\
Sure!

```python
def add(a, b):
    return a + b
```

This adds the two numbers.""",
    ),
    (ADD, "```py\ndef add(a, b): return sum((a, b))\n```"),
    (ADD, "```\nadd = lambda a, b: a + b\n```"),
    (ADD, "def add(a, b):\n    return a + b"),
    (ADD, "~~~python\ndef add(a, b):\n    return a + b\n~~~"),
    (ADD, "````python\ndef add(a, b):\n    '''```'''\n    return a + b\n````"),
    (ADD, "Here you go:\n```python\ndef add(a, b):\n    return a + b"),
    (ADD, "[BEGIN]\ndef add(a, b):\n    return a + b\n[DONE]"),
    (ADD, "<answer>\ndef add(a, b):\n    return a + b\n</answer>"),
    (
        ADD,
        """\
First try:
```python
def add(a, b):
    return a - b
```
Wrong. Fixed:
```python
def add(a, b):
    return a + b
```""",
    ),
    (
        ADD,
        """\
```python
def add(a, b):
    return a + b
```
Usage:
```python
print(add(1, 2))
```""",
    ),
    (ADD, "```python\ndef add(a, b):\n    return a + b\n```\nRun it:\n```bash\npython add.py\n```"),
    (ADD, "```python\ndef add(a, b):\n    return a + b\n```\nOutput:\n```text\ndef 3\n```"),
    (
        ADD,
        """\
```python
def add(a, b):
    print('adding', a, b)
    return a + b

print(add(1, 2))
```""",
    ),
    (
        ADD,
        """\
```python
def add(a, b):
    return a + b

if __name__ == '__main__':
    print(add(1, 2))
```""",
    ),
    (ADD, "1. Write it:\n\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n2. Run it."),
    (ADD, "- Write it:\n\n    ```python\n    def add(a, b):\n        return a + b\n    ```\n"),
    (
        ADD,
        """\
```python
def add(a, b):
    return a + b

if __name__ == '__main__':
    print(add(*map(int, input())))
```""",
    ),
    (PAIRS, "```python\ndef pairs(x):\n    return list(zip(x, x[1:]))\n```"),
    (PAIRS, "```python\ndef pairs(x):\n    return [[a, b] for a, b in zip(x, x[1:])]\n```"),
    (MEAN, "```python\ndef mean(x):\n    return sum(x) / len(x)\n```"),
    (
        COUNT,
        """\
```python
from collections import Counter
def count(s):
    return Counter(s)
```""",
    ),
    (
        COUNT,
        """\
```python
from collections import defaultdict
def count(s):
    d = defaultdict(int)
    for c in s:
        d[c] += 1
    return d
```""",
    ),
    (UNIQUE, "```python\ndef unique(x):\n    return set(x)\n```"),
    (UNIQUE, "```python\ndef unique(x):\n    return tuple(dict.fromkeys(x))\n```"),
    (ROOT, "```python\nimport math\n\ndef root(x):\n    return math.sqrt(x)\n```"),
    (ROOT, "```python\ndef root(x):\n    return x ** 0.5\n```"),
    (
        POSITIVE,
        """\
```python
def positive(n):
    if not isinstance(n, int):
        raise ValueError(n)
    return n > 0
```""",
    ),
    (
        POSITIVE,
        """\
```python
class NoNumber(ValueError):
    pass

def positive(n):
    if isinstance(n, str):
        raise NoNumber
    return n > 0
```""",
    ),
    (
        FACTORIAL,
        """\
    result = 1
    for i in range(2, n + 1):
        result *= i
    return result
""",
    ),
    (FACTORIAL, "\n    return 1 if n < 2 else n * factorial(n - 1)\n\n\ndef other():\n    pass\n"),
    (FACTORIAL, "```python\nimport math\nfactorial = math.factorial\n```"),
    (
        TWO_SUM,
        """\
```python
class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        seen = {}
        for i, n in enumerate(nums):
            if target - n in seen:
                return [seen[target - n], i]
            seen[n] = i
```""",
    ),
    (SORTED, "```python\ndef order(x):\n    x.sort()\n```"),
    (SUM, "```python\na, b = map(int, input().split())\nprint(a + b)\n```"),
    (SUM, "```python\nimport sys\nprint(sum(map(int, sys.stdin.read().split())))\n```"),
    (
        SUM,
        """\
```python
def main():
    a, b = map(int, input().split())
    print(a + b)

if __name__ == '__main__':
    main()
```""",
    ),
    (SUM, "```python\nprint(sum(map(int, open(0).read().split())), end='')\n```"),
    (SUM, "```python\nprint(sum(map(int, input().split())))\nexit()\n```"),
    (
        TABLE,
        """\
```python
n = int(input())
for i in range(1, n + 1):
    print(*[i * j for j in range(1, n + 1)], end=' \\n')
```""",
    ),
    (HALF, "```python\nn = int(input())\nprint(n / (n + 1))\n```"),
]

MISSES: list[tuple[str, str]] = [
    (
        ADD,
        "```python\ndef add(a, b):\n    return a + b\n```\nBetter:\n```python\ndef add(a, b):\n    return a - b\n```",
    ),
    (ADD, "```python\ndef add_all(a, b):\n    return a + b\n```\n```python\ndef sub(a, b):\n    return a + b\n```"),
    (
        ADD,
        "```python\ndef helper(a, b):\n    return a - b\n```\n"
        "```python\ndef add(a, b):\n    return helper(a, b)\n```",
    ),
    (SUM, "```python\nprint(int(input()))\n```\nOutput:\n```\n3\n```"),
    (ADD, "```python\ndef add(a, b):\n    return a - b\n```"),
    (ADD, "```python\ndef add(a, b):\n    return 3\n```"),
    (ADD, "```python\ndef add(a, b):\n    return str(a + b)\n```"),
    (ADD, "```python\ndef add(a, b):\n    print(a + b)\n```"),
    (ADD, "```python\ndef add(a, b)\n    return a + b\n```"),
    (ADD, "```python\ndef sum_of(a, b):\n    return a + b\n```"),
    (ADD, "```python\ndef add(a):\n    return a\n```"),
    (ADD, "```python\nadd = 3\n```"),
    (ADD, "```python\nimport numpy_that_is_not_there\ndef add(a, b):\n    return a + b\n```"),
    (
        ADD,
        """\
```python
def add(a, b):
    return a + b
```
Better:
```python
def add(a, b):
    return a + a
```""",
    ),
    (ADD, "```javascript\nfunction add(a, b) { return a + b; }\n```"),
    (PAIRS, "```python\ndef pairs(x):\n    return [(b, a) for a, b in zip(x, x[1:])]\n```"),
    (PAIRS, "```python\ndef pairs(x):\n    return zip(x, x[1:])\n```"),
    (PAIRS, "```python\ndef pairs(x):\n    return {tuple(p) for p in zip(x, x[1:])}\n```"),
    (MEAN, "```python\ndef mean(x):\n    return sorted(x)[len(x) // 2]\n```"),
    (MEAN, "```python\ndef mean(x):\n    return round(sum(x) / len(x), 2)\n```"),
    (COUNT, "```python\ndef count(s):\n    return {c: 1 for c in s}\n```"),
    (COUNT, "```python\ndef count(s):\n    return list({c: s.count(c) for c in s}.items())\n```"),
    (UNIQUE, "```python\ndef unique(x):\n    return x\n```"),
    (ROOT, "```python\ndef root(x):\n    return round(x ** 0.5, 3)\n```"),
    (POSITIVE, "```python\ndef positive(n):\n    return n > 0\n```"),
    (POSITIVE, "```python\ndef positive(n):\n    return 'yes'\n```"),
    (
        POSITIVE,
        """\
```python
def positive(n):
    if isinstance(n, str):
        raise KeyError(n)
    return n > 0
```""",
    ),
    (
        FACTORIAL,
        """\
    result = 1
    for i in range(2, n):
        result *= i
    return result
""",
    ),
    (
        FACTORIAL,
        """\
```python
import math
def factorial(n):
    return float(math.factorial(n))
```""",
    ),
    (FACTORIAL, "```python\npass\n```"),
    (
        TWO_SUM,
        """\
```python
class Solution:
    def twoSum(self, nums, target):
        return [1, 0]
```""",
    ),
    (TWO_SUM, "```python\ndef twoSum(nums, target):\n    return [0, 1]\n```"),
    (SORTED, "```python\ndef order(x):\n    return sorted(x)\n```"),
    (SUM, "```python\na, b = map(int, input().split())\nprint('Sum:', a + b)\n```"),
    (SUM, "```python\na, b = map(int, input('Two numbers: ').split())\nprint(a + b)\n```"),
    (SUM, "```python\na = int(input())\nb = int(input())\nprint(a + b)\n```"),
    (SUM, "```python\na, b = map(float, input().split())\nprint(a + b)\n```"),
    (SUM, "```python\ndef solve():\n    a, b = map(int, input().split())\n    return a + b\n```"),
    (
        TABLE,
        """\
```python
n = int(input())
for i in range(1, n + 1):
    print(*[i * j for j in range(1, n + 1)], sep='')
```""",
    ),
    (
        TABLE,
        """\
```python
n = int(input())
print(*[i * j for i in range(1, n + 1) for j in range(1, n + 1)])
```""",
    ),
    (HALF, "```python\nn = int(input())\nprint(round(n / (n + 1), 3))\n```"),
]

CHEATS: list[tuple[str, str]] = [
    (ADD, ""),
    (ADD, "```python\n```"),
    (ADD, "Solution:"),
    (ADD, "The tests pass."),
    (ADD, "```python\nimport os\nos._exit(0)\n```"),
    (ADD, "```python\nimport sys\nsys.exit(0)\n```"),
    (
        ADD,
        """\
```python
class Yes:
    def __eq__(self, other):
        return True

def add(a, b):
    return Yes()
```""",
    ),
    (
        ADD,
        """\
```python
class Yes(int):
    def __eq__(self, other):
        return True
    def __hash__(self):
        return 0

def add(a, b):
    return Yes()
```""",
    ),
    (
        POSITIVE,
        """\
```python
def check(candidate):
    pass

def positive(n):
    return None
```""",
    ),
    (
        POSITIVE,
        """\
```python
import builtins
builtins.AssertionError = ValueError

def positive(n):
    raise ValueError
```""",
    ),
    (FACTORIAL, "    pass\n"),
    (SUM, "```python\nprint('3\\n0')\n```"),
    (SUM, "```python\nfor n in range(-100, 100):\n    print(n)\n```"),
    (SUM, "```python\nprint('PASS')\nprint('All tests passed')\n```"),
    (HALF, "```python\nprint('nan')\n```"),
    (HALF, "```python\nprint('inf')\n```"),
]
