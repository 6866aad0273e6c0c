"""Published versions in PostGIS: equal to the GeoPackage's, turned at once, and never told of a password."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import psycopg
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from spatial import pipeline
from spatial.config import load_place, load_settings
from spatial.contracts import FLOOD_ZONES, HEXAGONS, REPORTS, checked
from spatial.errors import InputError, NotFoundError, StoreError
from spatial.pipeline.second import follow, prune, rollback
from spatial.registry import LAYER_BY_NAME
from spatial.store.geopackage import content_hash, read_layer
from spatial.store.place import PRIVATE, Place, StoreParameters, schema_of
from spatial.store.postgis import Postgis
from spatial.store.versions import Versions
from tests.pipeline import test_kill
from tests.pipeline.test_kill import state, whole
from tests.pipeline.tiny import write_tiny_city
from tests.services import test_clients
from tests.services.test_clients import run_qgis
from tests.store.places import in_postgis

killed, qgis = test_kill.killed, test_clients.qgis
NO_MEMBERS = pd.DataFrame({"zone_id": ["z"], "member": ["m"]})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city on disk alone, published."""
    city = write_tiny_city(tmp_path_factory.mktemp("disk") / "city")
    pipeline.run(city)
    return city


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgis: str) -> Path:
    """The same city with a database, published."""
    city = write_tiny_city(tmp_path_factory.mktemp("both") / "city")
    with_database(city, postgis, "kota_uji")
    pipeline.run(city)
    return city


def with_database(city: Path, url: str, schema: str) -> None:
    with (city / "city.toml").open("a", encoding="utf-8") as file:
        file.write(f'[store]\nurl = "{url}"\nschema = "{schema}"\n')


def table(ids: list[str], **columns: object) -> gpd.GeoDataFrame:
    given = {"report_id": ids, "source": "x", "category": "flood"} | columns
    return gpd.GeoDataFrame(given, crs="EPSG:4326", geometry=shapely.points([(100.0, -3.0)] * len(ids)))


def rows(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as database:
        return database.execute(query, values).fetchall()


def test_a_version_is_the_same_with_a_database_and_without(plain: Path, both: Path) -> None:
    one, two = (Versions(city / "var").current() for city in (plain, both))
    assert one.id == two.id
    assert (one.path / "manifest.json").read_bytes() == (two.path / "manifest.json").read_bytes()
    assert one.layers.read_bytes() == two.layers.read_bytes()


def test_every_layer_comes_back_as_from_the_geopackage(both: Path) -> None:
    version = Versions(both / "var").current()
    with Postgis.opened(load_place(both)) as store:
        assert store.served() == version.id
        for name, layer in LAYER_BY_NAME.items():
            ours, theirs = read_layer(version.layers, name), store.read_layer(version.id, layer)
            assert content_hash(layer, ours) == content_hash(layer, theirs) == hash_of(version.manifest, name)
            assert_geodataframe_equal(checked(layer, ours), checked(layer, theirs))
            times = [c.name for c in layer.columns if c.kind == "datetime" and ours[c.name].isna().all()]
            assert_geodataframe_equal(ours.drop(columns=times), theirs.drop(columns=times))  # GDAL: no zone if all null
        with pytest.raises(NotFoundError, match="no layer reports of version x"):
            store.read_layer("x", REPORTS)


def hash_of(manifest: dict[str, Any], name: str) -> str:
    return str(manifest["layers"][name]["content_sha256"])


def test_others_read_views_with_srid_indexes_and_titles(both: Path, postgis: str) -> None:
    version = Versions(both / "var").current()
    found = rows(postgis, "SELECT f_table_name, type, srid FROM geometry_columns WHERE f_table_schema = 'kota_uji'")
    assert sorted(found) == sorted((layer.name, layer.geometry.upper(), 4326) for layer in LAYER_BY_NAME.values())
    for name, layer in version.manifest["layers"].items():
        count = rows(postgis, f"SELECT count(*) FROM kota_uji.{name}")
        assert count == [(layer["rows"],)], name
    title = rows(postgis, "SELECT obj_description('kota_uji.flood_zones'::regclass)")[0][0]
    assert title == f"{FLOOD_ZONES.title_id} / {FLOOD_ZONES.title_en} (versi / version {version.id})"
    column = "SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s"
    length = next(c for c in HEXAGONS.columns if c.name == "road_length_m")
    assert rows(postgis, column, "kota_uji.hexagons", "road_length_m") == [
        (f"{length.title_id} / {length.title_en} (m)",)
    ]
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = %s ORDER BY indexdef"
    made = [row[0] for row in rows(postgis, indexes, "kota_uji" + PRIVATE, f"v_{version.id}_reports")]
    assert len(made) == 3
    assert "USING gist (geom)" in made[0]
    assert "(requested_datetime)" in made[1]
    assert made[2].startswith("CREATE UNIQUE INDEX")
    members = rows(postgis, "SELECT count(*), count(DISTINCT zone_id) FROM kota_uji.zone_members")
    assert members[0][0] > members[0][1] == 2


def test_a_reader_sees_the_views_and_nothing_else(both: Path, postgis: str) -> None:
    with psycopg.connect(postgis) as owner:
        owner.execute("GRANT USAGE ON SCHEMA kota_uji TO hexakota_guarded")
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA kota_uji TO hexakota_guarded")
    reader = postgis.replace("hexakota@", "hexakota_guarded:the%20right%20one@")
    count = rows(reader, "SELECT count(*) FROM kota_uji.reports")
    assert count[0][0] == 111
    pipeline.run(both, force=True)  # another version: the grant holds for it too
    assert rows(reader, "SELECT count(*) FROM kota_uji.reports") == count
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(reader, "SELECT count(*) FROM kota_uji_store.reports")


def server_of(url: str) -> str:
    """The address as QGIS and GDAL write it."""
    parts = conninfo_to_dict(url)
    return " ".join(f"{name}={parts[name]}" for name in ("host", "port", "user", "dbname"))


def test_qgis_reads_every_view(both: Path, postgis: str, qgis: None) -> None:
    version = Versions(both / "var").current()
    script = Path(__file__).with_name("qgis_views.py")
    views = [f"{layer.name}:{layer.id_column}:{layer.geometry}" for layer in LAYER_BY_NAME.values()]
    result = run_qgis(str(script), server_of(postgis), "kota_uji", *views)
    assert result.returncode == 0, result.stderr[-2000:]
    seen = json.loads(result.stdout.splitlines()[-1])
    for name, layer in LAYER_BY_NAME.items():
        first = layer.columns[0]
        assert seen[name] == {
            "valid": True,
            "features": version.manifest["layers"][name]["rows"],
            "crs": "EPSG:4326",
            "fields": list(layer.names),
            "title": f"{first.title_id} / {first.title_en}",
        }


def test_gdal_reads_a_view(both: Path, postgis: str) -> None:
    if shutil.which("ogrinfo") is None:
        pytest.skip("no ogrinfo; `make test-system` installs it")
    source = f"PG:{server_of(postgis)} schemas=kota_uji"
    told = subprocess.run(["ogrinfo", "-so", source, "reports"], capture_output=True, text=True, check=True).stdout
    assert "Feature Count: 111" in told
    assert "Geometry: Point" in told
    assert "requested_datetime: DateTime" in told


def test_rollback_and_prune_turn_both_stores(plain: Path, tmp_path: Path, postgis: str) -> None:
    """A city that gets its database later: the served version is loaded; others only when they are served."""
    city = Path(shutil.copytree(plain, tmp_path / "city"))
    with_database(city, postgis, "t_rollback")
    first = Versions(city / "var").current().id
    assert not pipeline.run(city).published
    assert shown(city) == (first, [first])
    second = pipeline.run(city, force=True).version.id
    assert shown(city) == (second, sorted([first, second]))
    assert rollback(city).id == first
    assert shown(city)[0] == first
    assert view_of(postgis, "t_rollback", "hexagons") == f"v_{first}_hexagons"
    assert prune(city, 0) == [second]
    assert shown(city) == (first, [first])
    left = rows(postgis, "SELECT tablename FROM pg_tables WHERE schemaname = 't_rollback_store'")
    assert not [name for (name,) in left if second in name]


def shown(city: Path) -> tuple[str | None, list[str]]:
    with Postgis.opened(load_place(city)) as store:
        return store.served(), store.versions()


def view_of(url: str, schema: str, view: str) -> str:
    """Name of the table that a view selects from, out of PostgreSQL's catalogue."""
    query = "SELECT table_name FROM information_schema.view_table_usage WHERE view_schema = %s AND view_name = %s"
    return str(rows(url, query, schema, view)[0][0])


def test_odd_values_survive(tmp_path: Path, postgis: str) -> None:
    texts = ["\\.", "\\N", '"', "", " x ", "a\r\nb", "NULL", "'; DROP SCHEMA x; --", "%s", "𝔘🌊<&>", None, "x\ny\\.\nz"]
    times = pd.to_datetime(["0001-01-01", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"] + [None] * 9, utc=True, format="ISO8601")  # fmt: skip  # noqa: E501
    given = table([f"r{i:02d}" for i in range(12)], description=texts, requested_datetime=times)
    given["depth_m"] = [0.1, 5e-324, 1.7976931348623157e308, 1 / 3, 0.0, *[None] * 7]
    with Postgis.opened(in_postgis(tmp_path, postgis)) as store:
        assert store.load("v", {REPORTS: given}, NO_MEMBERS)
        assert not store.load("v", {REPORTS: given}, NO_MEMBERS)
        back = store.read_layer("v", REPORTS)
        nul = table(["a"], description="x\0y")
        store.load("w", {REPORTS: nul}, NO_MEMBERS)
        assert store.read_layer("w", REPORTS)["description"].tolist() == ["x\ufffdy"]
    assert_geodataframe_equal(checked(REPORTS, given), checked(REPORTS, back))
    assert back["report_id"].tolist() == given["report_id"].tolist()


def test_columns_of_another_release(tmp_path: Path, postgis: str) -> None:
    place = in_postgis(tmp_path, postgis)
    with Postgis.opened(place) as store:
        store.load("old", {REPORTS: table(["a"])}, NO_MEMBERS)
        store.serve("old")
        column = SQL("ALTER TABLE {} RENAME COLUMN depth_m TO depth").format(Identifier(store.private, "v_old_reports"))
        store.connection.execute(column)
        store.load("new", {REPORTS: table(["b"]), HEXAGONS: no_cells()}, NO_MEMBERS)
        store.serve("new")
    assert rows(postgis, f"SELECT report_id, depth_m FROM {place.schema}.reports") == [("b", None)]
    with Postgis.opened(place) as store:
        store.serve("old")
        with pytest.raises(StoreError, match="version old is served"):
            store.drop("old")
    views = rows(postgis, "SELECT viewname FROM pg_views WHERE schemaname = %s ORDER BY 1", place.schema)
    assert views == [("reports",), ("zone_members",)]
    with pytest.raises(NotFoundError, match="version x is not loaded"), Postgis.opened(place) as store:
        store.serve("x")


def no_cells() -> gpd.GeoDataFrame:
    required = {c.name: [] for c in HEXAGONS.columns if not c.nullable}
    return gpd.GeoDataFrame(required, geometry=[], crs="EPSG:4326")


def test_the_schema_of_another_city_is_refused(tmp_path: Path, postgis: str) -> None:
    place = in_postgis(tmp_path, postgis)
    with Postgis.opened(place):
        pass
    other = Place(tmp_path, place.url, place.schema, "Kupang")
    with pytest.raises(StoreError, match="schema of the city 'Kota Uji'; state another"), Postgis.opened(other):
        pass


def test_the_views_turn_at_once_under_load(tmp_path: Path, postgis: str) -> None:
    """Readers ask for both layers in one statement while the views turn: no failure, never two versions at once."""
    place = in_postgis(tmp_path, postgis)
    versions = [f"v{i:02d}" for i in range(10)]
    zones = {"zone_id": ["z"], "zone_type": "flood", "severity": "low"}
    square = [shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])]
    with Postgis.opened(place) as store:
        for name in versions:
            zone = gpd.GeoDataFrame(zones | {"version": name}, geometry=square, crs="EPSG:4326")
            store.load(name, {REPORTS: table(["a"], description=name), FLOOD_ZONES: zone}, NO_MEMBERS)
        store.serve(versions[0])
    with reading(postgis, place.schema) as seen:
        for name in versions[1:]:
            with Postgis.opened(place) as store:
                store.serve(name)
    assert len({pair for pair in seen if isinstance(pair, tuple)}) > 3
    assert [pair for pair in seen if not isinstance(pair, tuple) or pair[0] != pair[1]] == []


@contextmanager
def reading(url: str, schema: str) -> Iterator[list[tuple[str, str] | Exception]]:
    seen: list[tuple[str, str] | Exception] = []
    stop = threading.Event()
    query = f"SELECT r.description, z.version FROM {schema}.reports r, {schema}.flood_zones z"

    def read() -> None:
        with psycopg.connect(url, autocommit=True) as database:
            while not stop.is_set():
                try:
                    seen.append(database.execute(query).fetchone())
                except psycopg.Error as error:
                    seen.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_reader_that_does_not_end_is_told_of(tmp_path: Path, postgis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatial.store.postgis._ATTEMPTS", 2)
    place = in_postgis(tmp_path, postgis)
    for name in ("a", "b"):
        with Postgis.opened(place) as store:
            store.load(name, {REPORTS: table([name])}, NO_MEMBERS)
            if name == "a":
                store.serve(name)
    with psycopg.connect(postgis) as reader:
        reader.execute(f"SELECT * FROM {place.schema}.reports")
        with pytest.raises(StoreError, match="does not end"), Postgis.opened(place) as store:
            store.serve("b")
    with Postgis.opened(place) as store:
        assert store.served() == "a"


PLACES = (
    ("spatial.store.copying", "copy_in", 2),  # half of the layers are loaded
    ("spatial.pipeline.second", "load", 1),  # all are, and the folder does not serve the version yet
    ("spatial.store.versions", "Versions.publish", 1),  # it does, and the database does not
    ("spatial.store.postgis", "Postgis._turn", 3),  # half of the views are turned
)


def test_a_killed_run_leaves_whole_versions_and_the_next_one_mends(
    plain: Path, tmp_path: Path, postgis: str, killed: Callable[..., None]
) -> None:
    city = Path(shutil.copytree(plain, tmp_path / "city"))
    with_database(city, postgis, "t_killed")
    pipeline.run(city)
    versions = Versions(city / "var")
    for module, name, call in PLACES:
        before = state(city)[0]
        killed(city, "call", module, name, call)
        whole(city)
        on_disk = state(city)[0]
        assert shown(city)[0] == before, name
        assert (on_disk == before) == (name in ("copy_in", "load")), name
        in_full(postgis, "t_killed", before, city)
        if name == "Versions.publish":
            assert not pipeline.run(city).published  # a run that finds nothing to publish mends it too
        with versions.locked():
            follow(load_place(city), versions)
        assert shown(city) == (on_disk, sorted({on_disk, before} | set(shown(city)[1])))
        in_full(postgis, "t_killed", on_disk, city)
        assert set(shown(city)[1]) <= {version.id for version, _ in versions.all()}


def in_full(url: str, schema: str, version: str, city: Path) -> None:
    """Every view shows this version, with as many rows as its manifest says."""
    manifest = json.loads((city / "var/versions" / version / "manifest.json").read_text("utf-8"))
    for name, layer in manifest["layers"].items():
        assert view_of(url, schema, name) == f"v_{version}_{name}"
        assert rows(url, f"SELECT count(*) FROM {schema}.{name}") == [(layer["rows"],)]


def test_a_password_is_never_told(plain: Path, tmp_path: Path, postgis: str) -> None:
    city = Path(shutil.copytree(plain, tmp_path / "city"))
    wrong = postgis.replace("hexakota@", "hexakota_guarded:hush%2Fhush@")
    with_database(city, wrong, "t_secret")
    settings = load_settings(city)
    assert settings.store.url == wrong
    assert "hush" not in f"{settings!r} {settings.place!r} {settings.place.shown}"
    with pytest.raises(StoreError, match="password authentication failed") as failed:
        pipeline.run(city)
    assert "hush" not in str(failed.value)
    assert "hexakota_guarded:***@" in str(failed.value) or "hexakota_guarded@" in str(failed.value)
    right = postgis.replace("hexakota@", "hexakota_guarded:the%20right%20one@")
    (city / "city.toml").write_text((city / "city.toml").read_text("utf-8").replace(wrong, right), "utf-8")
    with pytest.raises(StoreError, match="permission denied for database") as failed:
        pipeline.run(city)
    assert "right" not in str(failed.value)
    for file in (city / "var").rglob("*"):
        assert not file.is_file() or (b"right%20one" not in file.read_bytes() and b"hush" not in file.read_bytes())


@pytest.mark.parametrize(
    "store",
    [
        'url = "postgresql://u:hush/hush@db/x"',
        'url = "postgresql://u:hush@db:port/x"',
        'url = "postgresql://u:hush@db/x?nonsense=1"',
        'url = "mysql://u:hush@db/x"',
        'url = ["postgresql://u:hush@db/x"]',
        'url = "postgresql://u:hush@db/x"\nschema = "public"',
        'url = "postgresql://u:hush@db/x"\nschema = "Kupang"',
        'url = "postgresql://u:hush@db/x"\nschema = "pg_kupang"',
        'url = "postgresql://u:hush@db/x"\nname = "x"',
        'schema = "kupang"',
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_password(tmp_path: Path, store: str) -> None:
    (tmp_path / "city.toml").write_text(
        f'[city]\nname = "K"\n[area]\nbbox = [117.0, -4.0, 118.0, -3.0]\n[store]\n{store}'
    )
    for load in (load_settings, load_place):
        with pytest.raises(InputError, match="store") as refused:
            load(tmp_path)
        assert "hush" not in str(refused.value)


def test_a_database_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    place = Place(tmp_path, "postgresql://u:hush@127.0.0.1:1/x", "kupang", "Kupang")
    told = r"postgresql://u:\*\*\*@127\.0\.0\.1:1/x, schema kupang: .*refused"
    with pytest.raises(StoreError, match=told) as failed, Postgis.opened(place):
        pass
    assert "hush" not in str(failed.value)


def test_the_schema_is_the_citys_name_in_small_letters() -> None:
    assert schema_of("Kota Tarakan") == "kota_tarakan"
    assert schema_of("São Paulo") == "sao_paulo"
    assert schema_of("Public") == "city_public"
    assert schema_of("3 Sungai") == "city_3_sungai"
    assert schema_of("東京") == "city"
    assert len(schema_of("x" * 100) + PRIVATE) == 63
    assert StoreParameters() == StoreParameters(None, None)
