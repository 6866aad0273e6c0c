"""The errors of Hexakota: one base, few leaves. `services` maps them to HTTP status and exit code in one table."""

from __future__ import annotations

from pathlib import Path


class HexakotaError(Exception):
    """Base of every error that Hexakota raises on purpose; its text is one line for a person."""


class InputError(HexakotaError):
    """An input file or a setting cannot be used: says which file, which field, what was expected, what to do.

    Parameters
    ----------
    path : Path or str
        File that is at fault.
    field : str
        Column, key, band or property at fault; "file" where it is the whole file.
    problem : str
        What was found and what was expected.
    hint : str
        What the person can do about it.
    """

    def __init__(self, path: Path | str, field: str, problem: str, hint: str) -> None:
        self.path, self.field, self.problem, self.hint = str(path), field, problem, hint
        super().__init__(f"{self.path}: {field}: {problem}; {hint}")


class DownloadError(HexakotaError):
    """Something could not be downloaded: says which address, what went wrong, what to do. Nothing partial is kept.

    Parameters
    ----------
    url : str
        Address that was asked, without its query.
    problem : str
        What went wrong.
    hint : str
        What the person can do about it.
    """

    def __init__(self, url: str, problem: str, hint: str) -> None:
        self.url, self.problem, self.hint = url, problem, hint
        super().__init__(f"{url}: {problem}; {hint}")


class QueryError(HexakotaError):
    """A question that cannot be asked of a layer: says which property, operator or literal, and what was expected."""


class ContractError(HexakotaError):
    """A table or raster that crosses a module border breaks `contracts`: a defect of ours, not of the input."""


class StoreError(HexakotaError):
    """The store is missing, locked, or is not whole."""


class BusyError(StoreError):
    """The store is being written to by another process, for longer than one waits: try again."""


class NotFoundError(StoreError):
    """The named city, version, layer or feature does not exist."""
