"""Processes: the abstract tests of OGC 18-062r2 on a running server, real workers that are killed, hostile requests."""

from __future__ import annotations

import base64
import email
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator
from starlette.requests import Request

from services.processes import catalogue
from services.processes.access import TOKEN, authorise
from services.processes.callbacks import HOSTS, CallbackError, call
from services.processes.errors import ProcessError
from services.processes.pages import MAX_WAITING
from spatial.evaluate import SCORED, Question
from spatial.pipeline.scenario import MAX_RAIN_MM
from spatial.store.jobs import JobQueue, NewJob
from spatial.store.versions import Versions
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST
from tests.services.running import get, served

EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH], [WEST, SOUTH]]],
}
STATUS_INFO = Draft202012Validator(
    {
        "type": "object",
        "required": ["jobID", "status", "type", "processID"],
        "properties": {
            "type": {"enum": ["process"]},
            "status": {"enum": ["accepted", "running", "successful", "failed", "dismissed"]},
            "progress": {"type": "integer", "minimum": 0, "maximum": 100},
            "message": {"type": "string", "minLength": 1},
        }
        | {name: {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"} for name in ("created",)},
    }
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(method: str, url: str, body: Any = None, **headers: str) -> Answer:
    """Send a request with a JSON body (bytes go as they are)."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=90) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def execute(url: str, process: str, inputs: Any = None, more: Any = None, **headers: str) -> Answer:
    body = {"inputs": inputs or {}} | (more or {})
    return ask("POST", f"{url}/processes/{process}/execution", body, **headers)


def wait(url: str, job: str, until: Callable[[Any], bool], seconds: float = 90) -> Any:
    """Return the status of a job once it is as wanted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = ask("GET", f"{url}/jobs/{job}").json
        if until(status):
            return status
        time.sleep(0.1)
    raise AssertionError(f"not in {seconds} s: {status}")


def ended(status: Any) -> bool:
    return status["status"] in ("successful", "failed", "dismissed")


@contextmanager
def working(city: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run a real worker; its environment is that of the test."""
    command = [sys.executable, "-m", "services.cli", "worker", str(city), "--lease", "3", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert "ready" in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def own_city(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the published city: these tests publish."""
    return Path(shutil.copytree(city, tmp_path_factory.mktemp("processes") / "city"))


@pytest.fixture(scope="module")
def api(own_city: Path) -> Iterator[str]:
    """A server without a worker."""
    with served(own_city) as url:
        yield url


# --- Core: landing page, conformance, API definition


def test_conf_core_landingpage_and_conformance(api: str) -> None:
    links = {link["rel"]: link["href"] for link in get(f"{api}/")[2]["links"]}
    for name in ("processes", "job-list"):
        assert get(links[f"http://www.opengis.net/def/rel/ogc/1.0/{name}"])[0] == 200
    classes = get(f"{api}/conformance")[2]["conformsTo"]
    for name in ("core", "ogc-process-description", "json", "oas30", "job-list", "dismiss"):
        assert f"http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/{name}" in classes
    assert not [name for name in classes if name.endswith("callback")]


def test_conf_core_api_definition_tells_of_every_path(api: str) -> None:
    document = get(f"{api}/openapi")[2]
    for process in get(f"{api}/processes")[2]["processes"]:
        operation = document["paths"][f"/processes/{process['id']}/execution"]["post"]
        assert "201" in operation["responses"]
        assert ("200" in operation["responses"]) is ("sync-execute" in process["jobControlOptions"])
    for path in ("/processes", "/jobs", "/jobs/{jobId}", "/jobs/{jobId}/results"):
        assert path in document["paths"]
    limit = next(p for p in document["paths"]["/jobs"]["get"]["parameters"] if p["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}
    assert not re.search(r'"\$ref": ?"http', json.dumps(document))


# --- Core: the list and the description of processes


def test_conf_core_process_list(api: str) -> None:
    page = get(f"{api}/processes", lang="en")[2]
    assert [p["id"] for p in page["processes"]] == [
        "run-analysis", "flood-scenario", "evaluate-layer", "repair-plan", "summarise-area"
    ]  # fmt: skip
    for process in page["processes"]:
        assert process["version"]
        assert process["outputTransmission"] == ["value", "reference"]
        assert get(process["links"][0]["href"])[2]["id"] == process["id"]
    assert {link["rel"] for link in page["links"]} == {"self"}


def test_conf_core_pl_limit(api: str) -> None:
    first = get(f"{api}/processes", limit=2)[2]
    seen = [p["id"] for p in first["processes"]]
    page = first
    while nexts := [link["href"] for link in page["links"] if link["rel"] == "next"]:
        page = get(nexts[0])[2]
        seen += [p["id"] for p in page["processes"]]
    assert len(first["processes"]) == 2
    assert len(seen) == len(set(seen)) == 5
    for wrong in ("0", "-1", "x", "10001", "1.5", "٣"):
        status, _, body = get(f"{api}/processes", limit=wrong)
        assert status == 400
        assert body["description"].startswith("limit=")


def test_conf_ogc_process_description(api: str) -> None:
    """Inputs and outputs have titles in both languages and schemas that hold their own defaults."""
    for one in get(f"{api}/processes")[2]["processes"]:
        languages = [get(f"{api}/processes/{one['id']}", lang=lang)[2] for lang in ("id", "en")]
        assert languages[0]["title"] != languages[1]["title"]
        assert languages[0]["description"] != languages[1]["description"]
        for told in languages:
            rels = {link["rel"].rsplit("/", 1)[-1] for link in told["links"]}
            assert {"self", "execute", "job-list"} <= rels
            for described in told["inputs"].values():
                schema = described["schema"]
                Draft202012Validator.check_schema(schema)
                if "default" in schema:
                    Draft202012Validator(schema).validate(schema["default"])
                    assert described["minOccurs"] == 0
            assert all(output["schema"]["contentMediaType"] for output in told["outputs"].values())
    rain = languages and get(f"{api}/processes/flood-scenario")[2]["inputs"]["rain_mm"]
    assert rain["schema"] == {"type": "number", "minimum": 0, "maximum": 2000.0, "x-ogc-unit": "mm"}


def test_the_descriptions_say_what_the_commands_do() -> None:
    """One source of truth: what a description repeats, so that it need not load the analysis, equals the original."""
    assert catalogue.MAX_RAIN_MM == MAX_RAIN_MM
    assert set(catalogue.SCORED) == set(SCORED)
    question = Question(Path("x"))
    inputs = {one.name: one.schema.get("default") for one in catalogue.EVALUATE_LAYER.inputs}
    assert (inputs["layer"], inputs["background"], inputs["min_share"]) == (
        question.layer, question.background, question.min_share
    )  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_conf_core_process_exception_no_such_process(api: str, method: str) -> None:
    path = "/execution" if method == "POST" else ""
    answer = ask(method, f"{api}/processes/fly{path}", {"inputs": {}} if path else None)
    assert answer.status == 404
    assert answer.json["type"] == f"{EXCEPTIONS}/no-such-process"
    assert "fly" in answer.json["detail"]


# --- Core: execution at once


def test_conf_core_process_execute_sync_raw_value_one(api: str) -> None:
    answer = execute(api, "summarise-area", {"polygon": SQUARE})
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["reports"]["total"] > 100
    assert answer.json["roads"]["length_m"] > 1000


def test_conf_core_job_results_success_sync(api: str) -> None:
    """The job behind an answer is linked as its monitor, and its results are the answer."""
    answer = execute(api, "summarise-area", {"polygon": SQUARE})
    monitor = re.search(r'<([^>]+)>; rel="monitor"', answer.headers["Link"])[1]
    status = get(monitor)[2]
    STATUS_INFO.validate(status)
    assert (status["status"], status["progress"], status["processID"]) == ("successful", 100, "summarise-area")
    assert status["created"] <= status["started"] <= status["finished"] <= status["updated"]
    again = ask("GET", f"{monitor}/results")
    assert again.json == answer.json
    link = next(link for link in status["links"] if link["rel"].endswith("/results"))
    assert get(link["href"])[2] == {"summary": {"value": answer.json, "mediaType": "application/json"}}


def test_conf_core_process_execute_default_outputs_are_all_in_parts(api: str) -> None:
    """Raw and several: multipart/related, a part per output, Content-ID its name (RFC 2387)."""
    answer = execute(api, "repair-plan", {"crews": 1})
    assert answer.status == 200, answer.body
    whole = email.message_from_bytes(f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode() + answer.body)
    assert whole.get_content_type() == "multipart/related"
    parts = {part["Content-ID"]: part for part in whole.get_payload()}
    assert set(parts) == {"<plan>", "<visits>", "<referred>", "<map>"}
    plan = json.loads(parts["<plan>"].get_payload())
    lines = parts["<visits>"].get_payload(decode=True).decode("utf-8-sig").strip().splitlines()
    assert len(lines) - 1 == plan["visits"] > 0
    assert parts["<map>"].get_content_type() == "image/png"
    assert b"\x89PNG\r\n\x1a\n" in answer.body


def test_conf_core_process_execute_sync_raw_ref_and_mixed(api: str) -> None:
    by_reference = {"visits": {"transmissionMode": "reference"}}
    answer = execute(api, "repair-plan", {}, {"outputs": by_reference | {"map": {"transmissionMode": "reference"}}})
    assert (answer.status, answer.body) == (204, b"")
    links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', ", ".join(answer.headers.get_all("Link"))))
    kinds = {rel: ask("GET", href).headers["Content-Type"].split(";")[0] for href, rel in links.items()}
    assert kinds == {"visits": "text/csv", "map": "image/png", "monitor": "application/json"}
    mixed = execute(api, "repair-plan", {}, {"outputs": by_reference | {"plan": {}}})
    whole = email.message_from_bytes(f"Content-Type: {mixed.headers['Content-Type']}\r\n\r\n".encode() + mixed.body)
    visits, plan = whole.get_payload()
    assert visits.get_payload().strip() == ""
    assert visits["Content-Location"].endswith("/results/visits.csv")
    assert json.loads(plan.get_payload())["visits"] > 0


def test_conf_core_process_execute_sync_document(api: str) -> None:
    how = {"map": {"transmissionMode": "value"}, "visits": {"format": {"mediaType": "text/csv"}}, "plan": {}}
    answer = execute(api, "repair-plan", {}, {"outputs": how, "response": "document"})
    assert set(answer.json) == {"map", "visits", "plan"}
    drawn = answer.json["map"]
    assert base64.b64decode(drawn["value"]).startswith(b"\x89PNG")
    assert (drawn["encoding"], drawn["mediaType"]) == ("base64", "image/png")
    assert ask("GET", answer.json["visits"]["href"]).body.decode("utf-8-sig").startswith("day,crew,stop")
    assert answer.json["plan"]["mediaType"] == "application/json"


def test_conf_core_process_execute_inputs_by_value_and_by_reference(api: str) -> None:
    plain = execute(api, "summarise-area", {"polygon": SQUARE}).json
    text = json.dumps(SQUARE)
    area = get(f"{api}/collections/admin_areas/items")[2]["features"][0]["id"]
    same = [
        {"value": SQUARE, "mediaType": "application/geo+json"},
        {"type": "Feature", "properties": {}, "geometry": SQUARE},
        {"href": f"data:application/json,{quote(text)}"},
        {"href": f"data:application/geo+json;base64,{base64.b64encode(text.encode()).decode()}"},
        {"href": f"{api}/collections/admin_areas/items/{area}", "type": "application/geo+json"},
    ]
    for polygon in same:
        answer = execute(api, "summarise-area", {"polygon": polygon})
        assert answer.status == 200, answer.body
        assert answer.json == plain
    for href in ("http://169.254.169.254/latest", "file:///etc/passwd", f"{api}/collections/roads/items/x",
                 f"{api}.evil.test/collections/admin_areas/items/1", "data:,x"):  # fmt: skip
        answer = execute(api, "summarise-area", {"polygon": {"href": href}})
        assert answer.status == 400
        assert "inputs" in answer.json["detail"]


def test_a_named_version(own_city: Path, api: str) -> None:
    served_now = Versions(own_city / "var").current().id
    assert execute(api, "summarise-area", {"polygon": SQUARE, "version": served_now}).json["version"] == served_now
    wrong = execute(api, "summarise-area", {"polygon": SQUARE, "version": "0" * 16})
    assert (wrong.status, wrong.json["detail"]) == (400, f"inputs.version={'0' * 16}: there is no such version")


# --- Core: input validation; nothing that is refused is queued

BOW = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
DEEP = json.loads("[" * 900 + "]" * 900)
LONG = {"type": "Polygon", "coordinates": [[[i / 1e4, 0] for i in range(11_000)] + [[0.5, 1], [0, 0]]]}
REFUSED = [
    ("summarise-area", {}, "inputs.polygon: is missing"),
    ("summarise-area", {"polygon": SQUARE, "crs": "x"}, "inputs.crs: not an input"),
    ("summarise-area", {"polygon": {"type": "Point", "coordinates": [1, 1]}}, "inputs.polygon.type=Point: expected"),
    ("summarise-area", {"polygon": SQUARE | {"crs": {"type": "name"}}}, "inputs.polygon: Additional properties"),
    ("summarise-area", {"polygon": BOW}, "inputs.polygon: is not valid"),
    ("summarise-area", {"polygon": LONG}, "inputs.polygon: has 11,002 vertices"),
    ("summarise-area", {"polygon": {"type": "Polygon", "coordinates": DEEP}}, "inputs.polygon: is not a GeoJSON"),
    ("summarise-area", {"polygon": {"type": "Polygon", "coordinates": [[["a", 1]]]}}, "inputs.polygon: is not a Geo"),
    ("summarise-area", {"polygon": {"type": "Polygon", "coordinates": [[[200, 1], [201, 1], [201, 2], [200, 1]]]}},
     "inputs.polygon: lies beyond"),
    ("summarise-area", {"polygon": SQUARE, "susceptible_from": 1.1}, "inputs.susceptible_from=1.1: expected number"),
    ("summarise-area", {"polygon": SQUARE, "version": "../../etc"}, "inputs.version=../../etc: expected"),
    ("summarise-area", {"polygon": {"value": SQUARE, "encoding": "base64"}}, "inputs.polygon.encoding"),
    ("repair-plan", {"crews": 0}, "inputs.crews=0: expected integer, from 1 to 1000"),
    ("repair-plan", {"crews": True}, "inputs.crews=True: expected integer"),
    ("repair-plan", {"crews": "3; DROP TABLE jobs"}, "inputs.crews=3; DROP TABLE jobs: expected integer"),
    ("repair-plan", {"owners": ["a", 7]}, "inputs.owners[1]=7: expected string"),
    ("flood-scenario", {"rain_mm": -1}, "inputs.rain_mm=-1: expected number, from 0 to 2000 (mm)"),
    ("flood-scenario", {"rain_mm": 10, "tide_m": 1, "tide_series": True}, "inputs.tide_m: not together"),
    ("evaluate-layer", {"truth": {"type": "FeatureCollection", "features": []}}, "inputs.truth.features=list: expec"),
    ("evaluate-layer", {"truth": {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]},
                        "score": "cell"}, "inputs.score=cell: expected a number column of hexagons"),
    ("evaluate-layer", {"truth": {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]},
                        "background": "/etc/passwd"}, "inputs.background=/etc/passwd: expected"),
]  # fmt: skip


@pytest.mark.parametrize(("process", "inputs", "words"), REFUSED, ids=[row[2][:40] for row in REFUSED])
def test_conf_core_process_execute_input_validation(
    own_city: Path, api: str, process: str, inputs: Any, words: str
) -> None:
    before = len(JobQueue(own_city / "var").all())
    answer = execute(api, process, inputs)
    assert answer.status == 400, answer.body
    assert answer.json["detail"].startswith(words)
    assert len(answer.body) < 2000
    assert len(JobQueue(own_city / "var").all()) == before


def test_bodies_that_are_refused(api: str) -> None:
    address = f"{api}/processes/repair-plan/execution"
    for body, words in (
        (b"", "not JSON"), (b"{", "not JSON"), (b"[]", "not a JSON object"), (b'{"inputs": []}', "inputs: expected"),
        (b'{"inputs": {}, "mode": "async"}', "mode: not a member"), (b'{"response": "xml"}', "response: expected"),
        (b'{"outputs": {"sound": {}}}', "outputs.sound: not an output"), (b'{"outputs": []}', "outputs: expected"),
        (b'{"outputs": {"map": {"transmissionMode": "pigeon"}}}', "outputs.map.transmissionMode"),
        (b'{"outputs": {"map": {"format": {"mediaType": "image/gif"}}}}', "outputs.map.format.mediaType"),
        (b'{"inputs": {"crews": NaN}}', "not JSON"), (b"[" * 5000, "not JSON"),
        (b'{"subscriber": {"successUri": 7}}', "subscriber: expected"), (b'{"subscriber": {}}', "subscriber.success"),
    ):  # fmt: skip
        answer = ask("POST", address, body)
        assert answer.status == 400, body
        assert words in answer.json["detail"]
    assert ask("POST", address, b"{}", Content_Type="text/plain").status == 415  # what another site's form can send
    assert ask("POST", address, b" " * 10_000_001).status == 413
    assert ask("GET", address).status == 405
    assert ask("POST", f"{address}?x=1", {}).status == 400


# --- Core: jobs, without a worker at first


def test_conf_core_process_execute_async(own_city: Path, api: str) -> None:
    """Async only: without Prefer too. Both: only with it. The message says what is missing."""
    for process, inputs, prefer in (
        ("flood-scenario", {"rain_mm": 5}, {}),
        ("repair-plan", {}, {"Prefer": "return=minimal, respond-async;x=1"}),
    ):
        answer = execute(api, process, inputs, **prefer)
        assert answer.status == 201, answer.body
        STATUS_INFO.validate(answer.json)
        assert answer.headers["Preference-Applied"] == ("respond-async" if prefer else None)
        assert answer.headers["Location"] == f"{api}/jobs/{answer.json['jobID']}"
        assert answer.json["status"] == "accepted"
        assert "hexakota worker" in answer.json["message"]
        english = get(answer.headers["Location"], lang="en")[2]["message"]
        assert english == "waits for a worker; run `hexakota worker` on the server"
        early = ask("GET", f"{answer.headers['Location']}/results")
        assert (early.status, early.json["type"]) == (404, f"{EXCEPTIONS}/result-not-ready")
        gone = ask("DELETE", answer.headers["Location"])
        assert (gone.status, gone.json["status"]) == (200, "dismissed")
        late = ask("GET", f"{answer.headers['Location']}/results")
        assert (late.status, late.json["type"]) == (404, f"{EXCEPTIONS}/result-not-ready")
        assert ask("DELETE", answer.headers["Location"]).json["status"] == "dismissed"
        assert ask("GET", answer.headers["Location"]).status == 404


@pytest.mark.parametrize("name", ["nothing", "x'%20OR%20'1'='1", "..%2f..%2fcurrent", "%00"])
def test_conf_core_job_exception_no_such_job(api: str, name: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/results"), ("GET", "/results/visits.csv")):
        answer = ask(method, f"{api}/jobs/{name}{path}")
        assert answer.status == 404
        assert answer.json["type"] in (f"{EXCEPTIONS}/no-such-job", "NotFound")  # a slash is another page


def test_conf_job_list(api: str) -> None:
    """Filters of clause 11, each against the jobs that are known."""
    for process in ("repair-plan", "summarise-area"):
        execute(api, process, {"polygon": SQUARE} if process == "summarise-area" else {})
    queued = execute(api, "repair-plan", Prefer="respond-async").json["jobID"]
    jobs = get(f"{api}/jobs", limit=1000)[2]["jobs"]
    for job in jobs:
        STATUS_INFO.validate(job)
    assert [j["created"] for j in jobs] == sorted((j["created"] for j in jobs), reverse=True)
    middle = jobs[len(jobs) // 2]["created"]
    for parameters, keep in (
        ({"status": "accepted"}, lambda j: j["jobID"] == queued),
        ({"status": "accepted,successful"}, lambda j: j["status"] in ("accepted", "successful")),
        ({"processID": "repair-plan"}, lambda j: j["processID"] == "repair-plan"),
        ({"processID": "nothing"}, lambda j: False),
        ({"type": "process"}, lambda j: True),
        ({"datetime": f"{middle}/.."}, lambda j: j["created"] >= middle),
        ({"datetime": f"../{middle}"}, lambda j: j["created"] <= middle),
        ({"datetime": "1999-01-01"}, lambda j: False),
        ({"minDuration": "0"}, lambda j: "started" in j),
        ({"minDuration": "3600"}, lambda j: False),
    ):
        found = get(f"{api}/jobs", limit=1000, **parameters)[2]
        expected = [j["jobID"] for j in jobs if keep(j)]
        if "/" in parameters.get("datetime", ""):  # the answer has milliseconds, the queue more
            assert abs(len(found["jobs"]) - len(expected)) <= 1
        else:
            assert [j["jobID"] for j in found["jobs"]] == expected, parameters
        assert found["numberMatched"] == len(found["jobs"])
    seen, page = [], get(f"{api}/jobs", limit=2)[2]
    while True:
        seen += [j["jobID"] for j in page["jobs"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            break
        page = get(following[0])[2]
    assert seen == [j["jobID"] for j in jobs]
    for wrong in ({"status": "lazy"}, {"limit": 0}, {"limit": 1001}, {"datetime": "yesterday"}, {"type": "wps"},
                  {"datetime": "2025-02-01/2025-01-01"}, {"minDuration": "x"}, {"colour": "red"}):  # fmt: skip
        status, _, body = get(f"{api}/jobs", **wrong)
        assert status == 400, wrong
        assert body["description"].startswith(next(iter(wrong)))
    ask("DELETE", f"{api}/jobs/{queued}")


def test_a_full_queue_says_when_to_come_back(own_city: Path, api: str) -> None:
    queue = JobQueue(own_city / "var")
    made = [queue.submit(NewJob("repair-plan", {}), MAX_WAITING) for _ in range(MAX_WAITING)]
    try:
        answer = execute(api, "repair-plan", Prefer="respond-async")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "30")
        other = execute(api, "flood-scenario", {"rain_mm": 1})  # whoever may start it does not wait behind everyone
        assert other.status == 201
    finally:
        for job in [*made, *(j for j in queue.all() if j.status == "accepted")]:
            queue.dismiss(job.id)
            if job not in made:
                queue.dismiss(job.id)
    assert ask("GET", f"{api}/jobs/{other.json['jobID']}").status in (200, 404)


def test_no_more_at_once_than_the_machine_bears(api: str) -> None:
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(execute(api, "summarise-area", {"polygon": SQUARE})))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = {answer.status for answer in answers}
    assert statuses <= {200, 429}
    assert sum(answer.status == 200 for answer in answers) >= 4
    assert all(answer.headers["Retry-After"] == "5" for answer in answers if answer.status == 429)


# --- who may start what


def test_guarded_processes_are_for_this_machine_or_the_token(
    own_city: Path, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for headers in ({"Host": "evil.example"}, {"X_Forwarded_For": "10.0.0.1"}, {"Forwarded": "for=10.0.0.1"}):
        refused = execute(api, "run-analysis", **headers)
        assert (refused.status, refused.json["type"]) == (403, "Forbidden")
        assert execute(api, "repair-plan", {"crews": 0}, **headers).status == 400  # open: refused for its input alone
    queue = JobQueue(own_city / "var")
    held = queue.submit(NewJob("run-analysis", {}), 100)
    assert ask("DELETE", f"{api}/jobs/{held.id}", Host="evil.example").status == 403
    assert ask("DELETE", f"{api}/jobs/{held.id}").status == 200
    monkeypatch.setenv(TOKEN, "rahasia")
    with served(own_city) as url:
        for given in ("", "Bearer", "Bearer salah", "Basic rahasia"):
            refused = execute(url, "flood-scenario", {"rain_mm": 1}, Authorization=given)
            assert refused.status == 401
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        made = execute(url, "flood-scenario", {"rain_mm": 1}, Authorization="bearer rahasia", Host="city.example")
        assert made.status == 201
        address = f"{url}/jobs/{made.json['jobID']}"
        assert ask("DELETE", address).status == 401
        assert ask("DELETE", address, Authorization="Bearer rahasia").status == 200


@pytest.mark.parametrize(
    ("base", "host", "client", "allowed"),
    [
        ("http://127.0.0.1:5000", "localhost:5000", "127.0.0.1", True),
        ("http://[::1]:5000", "[::1]:5000", "::1", True),
        ("https://kota.example", "127.0.0.1:5000", "127.0.0.1", False),  # HEXAKOTA_URL: behind a proxy
        ("http://0.0.0.0:5000", "127.0.0.1:5000", "127.0.0.1", False),  # on every interface
        ("http://127.0.0.1:5000", "127.0.0.1:5000", "192.168.1.7", False),
        ("http://127.0.0.1:5000", "127.0.0.1.evil.example", "127.0.0.1", False),  # a name that leads here
        ("http://127.0.0.1:5000", "[::1", "127.0.0.1", False),
    ],
)
def test_without_a_token_all_must_be_loopback(
    base: str, host: str, client: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    scope = {"type": "http", "headers": [(b"host", host.encode())], "client": (client, 1)}
    if allowed:
        authorise(Request(scope), base, "this")
        return
    with pytest.raises(ProcessError, match="only from the server's own machine"):
        authorise(Request(scope), base, "this")


# --- subscribers


class Hook(BaseHTTPRequestHandler):
    """Writes down what it is told; redirects where asked to."""

    told: list[tuple[str, Any]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.append((self.path, json.loads(body)))
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.told.clear()
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_subscribers_are_refused_unless_their_host_is_allowed(api: str) -> None:
    for uri, words in (
        ("http://hook.example/x", "hook.example may not be called"), ("http://127.0.0.1:9/x", "127.0.0.1 may not"),
        ("ftp://hook.example/", "expected an address"), ("http://u:p@hook.example/", "expected an address"),
        ("nonsense", "expected an address"), ("http://[::1", "expected an address"), ("http://h:x/", "expected"),
    ):  # fmt: skip
        answer = execute(api, "repair-plan", {}, {"subscriber": {"successUri": uri}}, Prefer="respond-async")
        assert answer.status == 400, uri
        assert words in answer.json["detail"]
        assert answer.json["detail"].startswith("subscriber.successUri: ")


def test_calls_go_to_allowed_hosts_without_redirects(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = hook.split(":")[1]
    monkeypatch.delenv(HOSTS, raising=False)
    with pytest.raises(CallbackError, match="may not be called"):
        call(f"http://{hook}/a", {})
    monkeypatch.setenv(HOSTS, "127.0.0.1")
    assert call(f"http://{hook}/a?b=c", {"x": "é"}) == 200
    assert call(f"http://{hook}/redirect", {}) == 302
    assert Hook.told == [("/a?b=c", {"x": "é"}), ("/redirect", {})]
    with pytest.raises(CallbackError, match="expected printable"):
        call(f"http://{hook}/a b", {})
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.1.2.3", int(port)))])
    monkeypatch.setenv(HOSTS, "hook.example")
    with pytest.raises(CallbackError, match=r"10\.1\.2\.3 is not public"):
        call(f"http://hook.example:{port}/a", {})
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", int(port)))])
    with pytest.raises(CallbackError, match=r"127\.0\.0\.1 is not public"):
        call(f"http://hook.example:{port}/a", {})
    monkeypatch.setenv(HOSTS, f"hook.example:{port}, localhost")
    assert call(f"http://hook.example:{port}/b", {}) == 200
    with pytest.raises(CallbackError, match="may not be called"):
        call("http://hook.example:81/b", {})


# --- the worker


def truth() -> dict[str, Any]:
    """Floods in the valley, which runs north to south through the middle."""
    middle = (WEST + EAST) / 2
    points = [[middle, SOUTH + 0.001 * i] for i in range(1, 17)]
    features = [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": p}} for p in points]
    return {"type": "FeatureCollection", "features": features}


def test_a_worker_runs_what_is_queued(own_city: Path, api: str, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation, a plan, and a job that fails; files under their names; subscribers are told."""
    monkeypatch.setenv(HOSTS, hook)
    calls = {"successUri": f"http://{hook}/ok", "inProgressUri": f"http://{hook}/on", "failedUri": f"http://{hook}/no"}
    with served(own_city) as own:
        plan = execute(own, "repair-plan", {}, {"subscriber": calls}, Prefer="respond-async")
        assert plan.status == 201, plan.body
        bad = execute(own, "flood-scenario", {"rain_mm": 1, "tide_m": 1}, {"subscriber": calls}).json["jobID"]
        asked = {"truth": truth(), "background": SQUARE, "score": "flood_susceptibility"}
        evaluation = execute(api, "evaluate-layer", asked, {"response": "document"}).json["jobID"]
        with working(own_city, "--until-empty") as process:
            assert process.wait(120) == 0
    assert [path for path, _ in Hook.told] == ["/on", "/ok", "/on", "/no"]
    assert Hook.told[1][1]["plan"]["value"]["visits"] > 0
    assert Hook.told[3][1]["status"] == "failed"
    failed = ask("GET", f"{api}/jobs/{bad}")
    STATUS_INFO.validate(failed.json)
    assert failed.json["status"] == "failed"
    assert "city.toml: tide: is missing" in failed.json["message"]
    why = ask("GET", f"{api}/jobs/{bad}/results")
    assert (why.status, why.json["type"]) == (400, "InvalidParameterValue")
    assert str(own_city) not in failed.body.decode() + why.body.decode()
    told = ask("GET", f"{api}/jobs/{evaluation}/results").json
    assert told["evaluation"]["value"]["truth"]["features"] == 16
    assert 0 <= told["evaluation"]["value"]["skill"]["auc"]["value"] <= 1
    for name in ("roc", "map"):
        assert told[name]["href"] == f"{api}/jobs/{evaluation}/results/{name}.png"
        assert ask("GET", told[name]["href"]).body.startswith(b"\x89PNG")
    assert "reliability" not in told
    assert ask("GET", f"{api}/jobs/{evaluation}/results/evaluation.json").json == told["evaluation"]["value"]
    assert ask("GET", f"{api}/jobs/{evaluation}/results/truth.geojson").status == 404


def test_kill_the_worker_and_the_server_in_the_middle(own_city: Path) -> None:
    """The job is begun once more by another worker, and its result is there for another server."""
    with killable(own_city) as (server, url), Versions(own_city / "var").locked():  # so that the job stays under way
        job = execute(url, "flood-scenario", {"rain_mm": 77.5}).json["jobID"]
        with working(own_city) as first:
            wait(url, job, lambda s: "Menunggu" in s["message"])
            (child,) = children(first.pid)
            first.send_signal(signal.SIGKILL)
            first.wait(10)
            server.send_signal(signal.SIGKILL)
            server.wait(10)
            assert gone(child, 10)  # it does not work on for nobody
    with served(own_city) as url, working(own_city):
        status = wait(url, job, ended)
        assert status["status"] == "successful", status
        told = ask("GET", f"{url}/jobs/{job}/results?f=json").json["scenario"]["value"]
        assert (told["rain_mm"], told["base"]) == (77.5, Versions(own_city / "var").current().id)
        assert get(f"{url}/collections/scenario_cells/items", version=told["version"])[2]["numberMatched"] > 0
        assert ask("GET", f"{url}/jobs/{job}/results/map.png").body.startswith(b"\x89PNG")
        assert JobQueue(own_city / "var").get(job).attempts == 2
    assert not list((own_city / "var/jobs").glob(".*"))


def test_a_run_that_is_under_way_is_waited_for(own_city: Path, api: str) -> None:
    """`hexakota run` by hand holds the city; the job says so, and publishes once it is free."""
    old = Versions(own_city / "var").current().id
    job = execute(api, "run-analysis", {"force": True}).json["jobID"]
    with working(own_city):
        with Versions(own_city / "var").locked():
            wait(api, job, lambda s: s["status"] == "running" and "Menunggu" in s["message"])
            assert get(f"{api}/jobs/{job}", lang="en")[2]["message"] == "waiting for another run of this city"
        told = wait(api, job, lambda s: s["progress"] > 0)
        STATUS_INFO.validate(told)
        assert told["message"] not in ("", "berjalan")
        status = wait(api, job, ended)
    assert status["status"] == "successful", status
    told = ask("GET", f"{api}/jobs/{job}/results").json
    assert told["published"] is True
    assert told["version"] == Versions(own_city / "var").current().id != old
    assert execute(api, "summarise-area", {"polygon": SQUARE}).json["version"] == told["version"]


@contextmanager
def killable(city: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "services.cli", "serve", str(city), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield server, server.stdout.readline().split(": ", 1)[1].split("/?f=html")[0]
    finally:
        server.kill()
        server.wait(10)
        server.stdout.close()


def test_conf_dismiss_a_running_job(own_city: Path, api: str) -> None:
    """Its process is gone within a moment, and the worker goes on; told to stop itself, it gives its job back."""
    before = Versions(own_city / "var").current().id
    with working(own_city) as process, Versions(own_city / "var").locked():  # so that runs stay under way
        job = execute(api, "run-analysis", {"force": True}).json["jobID"]
        wait(api, job, lambda s: "Menunggu" in s["message"])
        (child,) = children(process.pid)
        assert ask("DELETE", f"{api}/jobs/{job}").json["status"] == "dismissed"
        assert gone(child, 10)
        assert ask("GET", f"{api}/jobs/{job}").json["status"] == "dismissed"
        following = execute(api, "run-analysis", {"force": True}).json["jobID"]
        wait(api, following, lambda s: "Menunggu" in s["message"])
        process.terminate()
        assert process.wait(20) == 0
        status = ask("GET", f"{api}/jobs/{following}").json
        assert (status["status"], "hexakota worker" in status["message"]) == ("accepted", True)
        assert JobQueue(own_city / "var").get(following).attempts == 0
        ask("DELETE", f"{api}/jobs/{following}")
    assert Versions(own_city / "var").current().id == before


def gone(pid: int, seconds: float) -> bool:
    """Tell whether a process ends within so many seconds."""
    end = time.monotonic() + seconds
    while _command(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not _command(pid)


def children(pid: int) -> list[int]:
    """Return the child processes that run jobs (multiprocessing also keeps a tracker of resources)."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if b"spawn_main" in _command(int(child))]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_serve_with_a_worker_that_ends_with_it(own_city: Path) -> None:
    command = [sys.executable, "-m", "services.cli", "serve", str(own_city), "--port", "0", "--worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().split(": ", 1)[1].split("/?f=html")[0]
        end = time.monotonic() + 30
        while not JobQueue(own_city / "var").manned() and time.monotonic() < end:
            time.sleep(0.1)
        assert execute(url, "repair-plan", Prefer="respond-async").json["message"] == "menunggu giliran"
        worker = [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
        assert worker
        server.kill()  # not even asked to stop
        server.wait(10)
        assert all(gone(pid, 15) for pid in worker)
