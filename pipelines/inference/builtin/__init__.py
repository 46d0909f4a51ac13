"""The builtin engine: a symbolic program that answers this project's own prompts, and no language model.

It exists so that everything here runs on a laptop without a GPU, a key, or a download. It poses problems
from some thirty parametric families, reads and solves problems with hand-written readers, writes templated
texts, and judges by rules. It knows nothing, generalises to nothing, and makes mistakes by design, at rates
that `Faults` sets, so that every check has something to catch. Data made with it is for trying things out;
it says nothing about what a model can do.

The part that poses (`pose`) and the part that solves (`solve`) share no code: where they agree, two
independent derivations agree.
"""

from .engine import Reply, reply
from .faults import NONE, Faults
from .instruct.quality import defective
from .solve import truth

VERSION = "1"  # stands as its revision: raise it with any change of what it says

__all__ = ["NONE", "VERSION", "Faults", "Reply", "defective", "reply", "truth"]
