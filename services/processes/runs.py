"""What the processes do: each calls `spatial`, in a child process, and says what came out. Imports are late: the server
describes processes without loading the analysis.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import shapely

from services.processes.model import Produced, Values
from spatial.contracts import Progress
from spatial.errors import StoreError
from spatial.store.versions import MAP_FILE, Version, Versions

LOCK_POLL_S = 1.0


def run_analysis(city: Path, inputs: Values, progress: Progress, folder: Path) -> Produced:
    """Run the city's pipeline and publish a version."""
    _wait_for_the_city(city, progress)
    from spatial import pipeline

    outcome = pipeline.run(city, progress, force=inputs["force"], drop_missing=inputs["drop_missing"])
    return {"version": {"value": {"published": outcome.published} | _told(outcome.version)}}


def flood_scenario(city: Path, inputs: Values, progress: Progress, folder: Path) -> Produced:
    """Compute one storm and one tide on a version; publish it beside the others."""
    _wait_for_the_city(city, progress)
    from spatial.pipeline.scenario import Storm, run_scenario

    storm = Storm(inputs["rain_mm"], inputs.get("tide_m"), inputs["tide_series"])
    version = run_scenario(city, storm, inputs.get("version"), progress)
    folder.mkdir(parents=True)
    (folder / MAP_FILE).write_bytes((version.path / MAP_FILE).read_bytes())
    told = {"version": version.id, **version.manifest["scenario"]}
    return {"scenario": {"value": told}, "map": {"file": MAP_FILE}}


def evaluate_layer(city: Path, inputs: Values, progress: Progress, folder: Path) -> Produced:
    """Score a published layer against places or areas where something was seen to happen."""
    from services.output import write_files
    from spatial.evaluate import Question, evaluate, pictures

    folder.mkdir(parents=True)
    files = {"truth": _file(folder, "truth", inputs["truth"])}
    background = inputs["background"]
    if not isinstance(background, str):
        files["background"] = _file(folder, "background", {"type": "Feature", "properties": {}, "geometry": background})
        background = str(files["background"])
    asked = {name: inputs[name] for name in ("layer", "score", "version", "min_share") if name in inputs}
    progress.stage("evaluate", "Menilai lapisan / scoring the layer")
    found = evaluate(city, Question(files["truth"], background=background, **asked))
    progress.stage("pictures", "Menggambar / drawing")
    drawn = pictures(found)
    write_files(drawn, folder)
    for path in files.values():
        path.unlink()
    return {"evaluation": {"value": found.as_dict()}} | {Path(name).stem: {"file": name} for name in drawn}


def repair_plan(city: Path, inputs: Values, progress: Progress, folder: Path) -> Produced:
    """Plan one visit per lighting fault, by day, crew and stop."""
    from services.plan import write
    from spatial.lighting.repairs import RepairParameters
    from spatial.plan import plan

    progress.stage("plan", "Menyusun rencana / planning")
    parameters = RepairParameters(inputs["crews"], inputs["visits_per_day"])
    made = plan(city, parameters, tuple(inputs["owners"]), inputs.get("version"))
    progress.stage("write", "Menulis rencana / writing the plan")
    write(made, folder, inputs["days"])
    told = {
        "city": made.title,
        "synthetic": made.version.manifest["city"]["synthetic"],
        "version": made.version.id,
        "visits": len(made.visits),
        "days": int(made.visits["day"].max()) if len(made.visits) else 0,
        "relit_m": round(float(made.visits["relit_m"].sum()), 3),
        "reports": made.reports,
        "expected_visits": round(made.expected_visits, 6),
        "referred": {str(why): int(n) for why, n in made.referred["why"].value_counts().items()},
    }
    files = {"visits": "visits.csv", "referred": "referred.csv", "map": "visits.png"}
    return {"plan": {"value": told}} | {name: {"file": file} for name, file in files.items()}


def summarise_area(city: Path, inputs: Values, progress: Progress, folder: Path) -> Produced:
    """Summarise what a version holds inside a polygon."""
    from spatial.summarise import summarise

    progress.stage("summarise", "Merangkum area / summarising the area")
    polygon = shapely.from_geojson(json.dumps(inputs["polygon"]))
    found = summarise(city, shapely.force_2d(polygon), inputs.get("version"), inputs["susceptible_from"])
    return {"summary": {"value": found}}


def _wait_for_the_city(city: Path, progress: Progress) -> None:
    """Wait while another process runs the city: a run that was started by hand, say."""
    versions, told = Versions(city / "var"), False
    while True:
        try:
            with versions.locked():
                return
        except StoreError:
            if not told:
                progress.stage("wait", "Menunggu proses lain di kota ini / waiting for another run of this city")
            told = True
            time.sleep(LOCK_POLL_S)


def _told(version: Version) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "version": version.id,
        "previous": manifest["previous"],
        "city": manifest["city"]["name"],
        "synthetic": manifest["city"]["synthetic"],
        "as_of": manifest["city"]["as_of"],
        "rows": {name: layer["rows"] for name, layer in manifest["layers"].items()},
        "left_out": manifest["left_out"],
    }


def _file(folder: Path, name: str, document: Values) -> Path:
    path = folder / f"{name}.geojson"
    path.write_text(json.dumps(document), "utf-8")
    return path
