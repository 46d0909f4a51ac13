"""What goes wrong at the Hub, in words: never what the server wrote, which may be anything."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

LONGEST = 60.0  # seconds to wait because the Hub says so


def cause(error: BaseException) -> BaseException:
    """The error behind the library's own words: that the cache could not help either, that an upload failed."""
    from huggingface_hub.errors import LocalEntryNotFoundError, RevisionResolutionError

    while isinstance(error, LocalEntryNotFoundError | RevisionResolutionError | RuntimeError) and error.__cause__:
        error = error.__cause__
    return error


def status(error: BaseException) -> int:
    """Of the Hub's answer; 0 where it is not about one."""
    from huggingface_hub.errors import HfHubHTTPError

    found = cause(error)
    return found.response.status_code if isinstance(found, HfHubHTTPError) else 0


def is_busy(error: BaseException) -> bool:
    """Whether another attempt may do: too many requests, a server's error, an answer that was cut."""
    import httpx2

    cut = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError, httpx2.ReadTimeout)
    return status(error) in (408, 429) or status(error) >= 500 or isinstance(cause(error), cut)


def is_offline(error: BaseException) -> bool:
    """Whether no Hub answered at all, or none may be asked."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    return isinstance(cause(error), OfflineModeIsEnabled | httpx2.TransportError)


def retry_after(error: BaseException) -> float:
    """Seconds, where the Hub told them, but no more than LONGEST."""
    from huggingface_hub.errors import HfHubHTTPError

    found = cause(error)
    told = found.response.headers.get("Retry-After", "") if isinstance(found, HfHubHTTPError) else ""
    return min(float(told), LONGEST) if re.fullmatch(r"[0-9]{1,9}", told) else 0.0


def patiently(
    call: Callable[[], T], waits: Sequence[float], *, watch: Callable[[str], None] = lambda told: None
) -> T:
    """What the call returns, called again after each wait (seconds) while the Hub is busy."""
    for wait in waits:
        try:
            return call()
        except Exception as error:
            if not is_busy(error):
                raise
            watch("the Hub is busy: waiting")
            time.sleep(max(wait, retry_after(error)))
    return call()


def line(text: str) -> str:
    """As one line of what can be printed."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def why_not_published(error: Exception, repo: str) -> str:
    """What a person should know who publishes to `repo`, and what to do."""
    from huggingface_hub import errors

    found, again = cause(error), "publish again, and what is missing is done"
    match found:
        case errors.GatedRepoError():
            return f"{repo} is gated, and the token has no access: ask for it on its page"
        case errors.RepositoryNotFoundError() if status(found) == 404:
            return f"{repo} is not there for this token: it is private to others; take another token or another name"
        case errors.DisabledRepoError():
            return f"{repo} is disabled on the Hub: its authors or the Hub withdrew it"
        case errors.HfHubHTTPError() if status(found) == 401:
            return "the Hub refuses the token (401): set HF_TOKEN to a valid one, or log in with `hf auth login`"
        case errors.HfHubHTTPError() if status(found) == 403:
            return f"the token may not write to {repo} (403): give it the right to, or say another OWNER/NAME"
        case errors.HFValidationError():
            return f"{repo!r} is no name of a dataset on the Hub: write OWNER/NAME"
        case errors.HfHubHTTPError():
            return f"the Hub answers {status(found)} for {repo}: {again}"
        case _ if is_offline(found):
            return f"the Hub cannot be reached for {repo} ({type(found).__name__}): {again}"
    kind = type(found).__name__
    return f"publishing to {repo} broke off ({kind}): {again}; where a proxy stands between, set HF_HUB_DISABLE_XET=1"


def why_not_fetched(error: Exception, name: str) -> str:
    """What a person should know who wants the version `name`, OWNER/NAME@REVISION, and what to do."""
    from huggingface_hub import errors

    found, login = cause(error), "set HF_TOKEN to one that may read it, or log in with `hf auth login`"
    match found:
        case errors.GatedRepoError():
            return f"{name} is gated: ask for access on its page, then {login}"
        case errors.RepositoryNotFoundError():
            return f"no dataset {name} on the Hub, or a private one: mend the name, or {login}"
        case errors.RevisionNotFoundError():
            return f"no revision {name} on the Hub: write OWNER/NAME@vN, with a tag that there is"
        case errors.HfHubHTTPError() if status(found) in (401, 403):
            return f"the Hub refuses the token for {name} ({status(found)}): {login}"
        case errors.HFValidationError():
            return f"{name!r} is no name of a dataset on the Hub: write OWNER/NAME@vN"
        case errors.HfHubHTTPError():
            return f"the Hub answers {status(found)} for {name}: try again later"
        case _ if is_offline(found):
            return f"the Hub cannot be reached for {name} ({type(found).__name__}): try again later"
    return f"fetching {name} broke off ({type(found).__name__}): try again; is HF_ENDPOINT a Hub?"
