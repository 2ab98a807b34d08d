"""What a function's handler names, and what a call of it is told; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shared_metadata.program import Call

REQUIREMENTS = "requirements.txt"
MADE, ANSWER = "made.parquet", "answer.json"  # which a call leaves in its folder
CALLED = "call"  # before the name of a function, so that it is none of a step


@dataclass(frozen=True)
class Handler:
    """'models.delay:risk': a function in a file of a folder of the project."""

    module: str
    function: str

    @staticmethod
    def of(text: str) -> Handler:
        return Handler(*text.split(":"))

    @property
    def folder(self) -> str:
        """The project's folder that goes with it, as a whole."""
        return self.module.partition(".")[0]

    @property
    def file(self) -> str:
        return f"{self.module.replace('.', '/')}.py"

    @property
    def requirements(self) -> str:
        """The file of its packages, beside its own."""
        return f"{self.file.rpartition('/')[0]}/{REQUIREMENTS}"

    def __str__(self) -> str:
        return f"{self.file}:{self.function}"


def step(function: str) -> str:
    """The name of a function's own Lambda among those of the slice."""
    return f"{CALLED}-{function}"


def folder(call: Call) -> str:
    """Where below its batch's place a call is given rows, and gives them, such as 'delay_risk-1'."""
    return call.table.rpartition(".")[2]


def job(call: Call, given: Sequence[str]) -> dict[str, Any]:
    """What a call is told.  given: the files of the rows."""
    return {
        "function": call.function,
        "handler": call.options["handler"],
        "given": [*given],
        "takes": [asdict(column) for column in call.takes],
        "returns": [asdict(column) for column in call.returns],
    }
