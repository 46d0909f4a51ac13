"""How a command ends: its result, or one clear line and an exit status for everything that a person can mend."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import click

# Nothing was accepted; something must be mended; the same command goes on later; a person stopped it.
EXIT_NOTHING, EXIT_BAD, EXIT_RESUMABLE, EXIT_INTERRUPTED = 1, 2, 75, 130

FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOENT}


class BadSetup(Exception):
    """Something is not installed that this command needs."""


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What refuses its arguments with a ValueError says in one line how to mend them."""
    try:
        yield
    except ValueError as error:
        raise BadSetup(str(error)) from error


def or_one_line(job: Callable[[], Any]) -> Any:
    """The result of `job`, or one clear line and an exit status for everything that a person can mend."""
    from filters.verifiers import Unable
    from flows.make import Interrupted, OutOfBudget
    from flows.run import Busy
    from flows.show import NotThere
    from pipelines.inference.engine import Misconfigured, Outage
    from pipelines.recipe import BadRecipe
    from pipelines.remote import BadStore
    from pipelines.rows import BadRows
    from pipelines.store import DiskFull
    from pipelines.tombstones import Forgotten

    go_on = "run the same command again to go on"
    try:
        return job()
    except (BadRecipe, BadRows, BadSetup, BadStore, Busy, Forgotten, Misconfigured, NotThere, Unable) as error:
        told, status = str(error), EXIT_BAD
    except (Outage, DiskFull) as error:
        told, status = f"{error}. R{go_on[1:]}", EXIT_RESUMABLE
    except OutOfBudget as error:
        told, status = f"{error}. What was answered is kept: give it more [budget] and r{go_on[1:]}", EXIT_RESUMABLE
    except OSError as error:
        if not (error.errno in FULL or (error.errno in FORBIDDEN and error.filename)):
            raise
        where = f" ({error.filename})" if error.filename else ""
        told, status = f"cannot write: {error.strerror}{where}", EXIT_RESUMABLE if error.errno in FULL else EXIT_BAD
    except Interrupted as error:
        told, status = f"{error}; {go_on}", EXIT_INTERRUPTED
    except (asyncio.CancelledError, KeyboardInterrupt):
        told, status = f"stopped; {go_on}", EXIT_INTERRUPTED
    # Only here, where nothing holds on any more to what the error went through.
    _fail(told, status)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"thoughtmill: {message}", err=True)
    sys.exit(status)
