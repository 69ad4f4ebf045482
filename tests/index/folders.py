"""What the tests of index folders share: passages on the disk, the bytes of a folder, and a child that dies."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from retriever.records import Passage


def write_passages(path: Path, passages: list[Passage]) -> Path:
    lines = [json.dumps({"id": each.id, "title": each.title, "text": each.text}) for each in passages]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def killed_at(call: int, work: Callable[[], object]) -> bool:
    """Run in a child that dies at so-many-th call that touches the disk; whether it lived to the end instead."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    count = 0

    def dying(function):
        def wrapped(*args, **kwargs):
            nonlocal count
            count += 1
            if count == call:
                os._exit(9)
            return function(*args, **kwargs)

        return wrapped

    for name in ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir"):
        setattr(os, name, dying(getattr(os, name)))
    work()
    os._exit(0)


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Run in a child that is killed (SIGKILL) after so many seconds; whether it had ended before."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code == 0
