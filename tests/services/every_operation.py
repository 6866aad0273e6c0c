"""Schemathesis over the OpenAPI document of a running server: valid and invalid requests to every operation.

`python -m tests.services.every_operation --examples 20000` publishes a small city, serves it, and asks; it fails on a
5xx, on a status, media type or header that the document does not state, on content that breaks its schema, and on an
answer to what the document forbids. The same seed asks the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatial import pipeline
from tests.pipeline.tiny import write_tiny_city
from tests.services.running import get, served

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
_PER_OPERATION = 20
_QUICK = "repair-plan"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was asked, and what was said of the answers; `failed` is empty where all holds."""

    examples: int
    operations: int
    failed: str


def examine(url: str, folder: Path, examples: int, seed: int = 0, only: Collection[str] | None = None) -> Outcome:
    """Ask every operation until at least so many examples were sent.

    Parameters
    ----------
    url : of a running server without a worker; jobs are left in its queue.
    folder : takes the document and the reports.
    examples : at least so many requests, in runs of up to 20 per operation and phase with one seed after the other.
    only : names of collections; None: all.
    """
    document = _known(_cut(get(f"{url}/openapi")[2], only), url)
    path, sent = folder / "openapi.json", 0
    path.write_text(json.dumps(document), "utf-8")
    operations = sum(len(item) for item in document["paths"].values())
    most = min(_PER_OPERATION, max(1, examples // (6 * operations)))
    while sent < examples:
        told, failed = _run(url, path, folder / f"report-{seed}.json", seed, most)
        sent, seed = sent + told["test_cases"]["generated"], seed + 1
        if failed:
            return Outcome(sent, told["operations"]["tested"], failed)
    return Outcome(sent, told["operations"]["tested"], "")


def _run(url: str, document: Path, report: Path, seed: int, most: int) -> tuple[dict[str, Any], str]:
    """Run Schemathesis once; return its report, and what it printed where something fails."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", url]
    command += ["--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS), "--max-examples", str(most)]
    command += ["--seed", str(seed), "--generation-database", "none", "--no-shrink", "--no-color", "--warnings", "off"]
    command += ["--request-timeout", "60", "--report", "json", "--report-json-path", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=report.parent)
    if not report.exists():
        raise RuntimeError(done.stdout + done.stderr)
    told: dict[str, Any] = json.loads(report.read_text("utf-8"))
    whole = told["complete"] and told["operations"]["tested"] == told["operations"]["total"]
    return told, "" if done.returncode == 0 and whole else done.stdout + done.stderr


def _cut(document: dict[str, Any], only: Collection[str] | None) -> dict[str, Any]:
    """Leave out the paths of other collections than those named."""
    if only is not None:
        kept = {"", "{collectionId}", *only}
        paths = document["paths"].items()
        document["paths"] = {path: item for path, item in paths if _collection(path) in kept}
    return document


def _collection(path: str) -> str:
    """Return the collection that a path names, or nothing."""
    return path.split("/")[2] if path.startswith("/collections/") else ""


def _known(document: dict[str, Any], url: str) -> dict[str, Any]:
    """Tell what the document cannot: ids that exist, and that a limit above the maximum is taken as the maximum.

    Features Part 1 lets a server do so (permission /per/core/fc-limit-response); without `maximum` it is no error.
    """
    job = _job(url)
    for path, item in document["paths"].items():
        ids = [job] if path.startswith("/jobs/") else _ids(url, path)
        for operation in item.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "limit" and path.endswith("/items"):
                    del parameter["schema"]["maximum"]
                if parameter["name"] in ("featureId", "jobId") and ids:
                    parameter["schema"] = {"anyOf": [{"type": "string", "enum": ids}, {"type": "string"}]}
    return document


def _ids(url: str, path: str) -> list[str]:
    if not path.endswith("/items/{featureId}"):
        return []
    page = get(f"{url}{path.removesuffix('/{featureId}')}", limit=3, skipGeometry="true")[2]
    return [feature["id"] for feature in page["features"]]


def _job(url: str) -> str:
    """Run a quick process and return the id of its job, which has results."""
    body, headers = b'{"inputs": {}}', {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/processes/{_QUICK}/execution", body, headers)
    with urllib.request.urlopen(request, timeout=60):
        return str(get(f"{url}/jobs")[2]["jobs"][0]["jobID"])


@contextmanager
def _small_city() -> Iterator[tuple[str, Path]]:
    """Publish and serve a small city; yield its address and a folder."""
    with tempfile.TemporaryDirectory() as folder:
        city = write_tiny_city(Path(folder) / "city")
        pipeline.run(city)
        with served(city) as url:
            yield url, Path(folder)


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=20_000, help="at least so many requests")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    asked, start = parser.parse_args(), time.monotonic()
    with _small_city() as (url, folder):
        outcome = examine(url, folder, asked.examples, asked.seed)
    seconds = time.monotonic() - start
    print(f"{outcome.failed}{outcome.examples:,} examples of {outcome.operations} operations in {seconds:.0f} s")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
