"""What a process is: bilingual titles, inputs and outputs with their schemas, how it may run, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatial.contracts import Progress

JSON = "application/json"
Values = Mapping[str, Any]
Produced = dict[str, dict[str, Any]]
"""By output: `{"value": JSON values}`, or `{"file": name}` of a file in the job's folder."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text in Indonesian and in English."""

    id: str
    en: str

    def of(self, language: str) -> str:
        """Return the text in a language; Indonesian where it is not `en`."""
        return self.en if language == "en" else self.id


@dataclass(frozen=True, slots=True)
class Input:
    """One input: its JSON Schema holds the range and the default; `unit` is of a number."""

    name: str
    title: Text
    schema: Values
    required: bool = False
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One output: JSON values, or a file of a media type. `always`: every successful job has it."""

    name: str
    title: Text
    media_type: str = JSON
    always: bool = True


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes
    ----------
    stages : number of stages that it tells of.
    quick : may be answered at once; the others are jobs of a worker.
    guarded : changes or loads the server, so not everyone may start it (`services.processes.access`).
    serial : holds the city's lock, so one runs at a time.
    check : of a city and inputs that satisfy the schemas; raises `ProcessError` for what a schema cannot say.
    execute : of a city, the inputs with their defaults, a progress and an empty folder for files; in a child process.
    """

    id: str
    title: Text
    description: Text
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    execute: Callable[[Path, Values, Progress, Path], Produced]
    check: Callable[[Path, Values], None]
    stages: int = 1
    quick: bool = False
    guarded: bool = False
    serial: bool = False

    @property
    def lane(self) -> str:
        """The queue's lane: those that not everyone may start wait apart from the rest."""
        return "guarded" if self.guarded else "open"

    @property
    def output_by_name(self) -> dict[str, Output]:
        """The outputs by name."""
        return {output.name: output for output in self.outputs}

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of all inputs as one object."""
        required = [one.name for one in self.inputs if one.required]
        return {
            "type": "object",
            "properties": {one.name: dict(one.schema) for one in self.inputs},
            **({"required": required} if required else {}),  # JSON Schema draft 4 has no empty list
            "additionalProperties": False,
        }
