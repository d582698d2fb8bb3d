"""How many calls and bytecode instructions of our own code a thread runs.

A call counts when our code makes it or is what is called; an instruction, when it is in our code. What libraries do within such
a call is theirs, and changes with their versions. Instructions are counted only in frames that begin, or that are on the stack,
while it is switched on.
"""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType
from typing import Any

import asyncsweep

_OURS = os.path.join(os.path.dirname(asyncsweep.__file__), "")


class Tracer:
    """Counts in the thread that starts it, between `start` and `stop`; again and again.

    Attributes:
        calls: The calls so far.
        instructions: The bytecode instructions so far.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.instructions = 0
        self._ours: dict[CodeType, bool] = {}

    @property
    def counts(self) -> tuple[int, int]:
        return self.calls, self.instructions

    def start(self) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if self._is_ours(frame.f_code):
                frame.f_trace, frame.f_trace_lines, frame.f_trace_opcodes = self._on_instruction, False, True
            frame = frame.f_back
        sys.settrace(self._on_frame)
        sys.setprofile(self._on_call)

    def stop(self) -> None:
        sys.setprofile(None)
        sys.settrace(None)

    def __getstate__(self) -> dict[str, Any]:
        return {"calls": 0, "instructions": 0, "_ours": {}}  # code cannot be pickled

    def _is_ours(self, code: CodeType) -> bool:
        known = self._ours.get(code)
        if known is None:
            known = self._ours[code] = code.co_filename.startswith(_OURS)
        return known

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            self.calls += self._is_ours(frame.f_code)
        elif event == "call":
            caller = frame.f_back
            self.calls += self._is_ours(frame.f_code) or (caller is not None and self._is_ours(caller.f_code))

    def _on_frame(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not self._is_ours(frame.f_code):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._on_instruction

    def _on_instruction(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            self.instructions += 1
        return self._on_instruction
