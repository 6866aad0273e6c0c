"""The project's frame: lock file, Makefile, command, wheel, and the rules that conftest.py sets for every test."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pytest_socket import SocketConnectBlockedError

import spatial

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINNED = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; .+?)?((?: --hash=sha256:[0-9a-f]{64})+)")

# --- lock file


def test_every_line_of_the_lock_is_one_pinned_requirement_with_hashes() -> None:
    lines = re.sub(r" \\\n\s*", " ", LOCK).splitlines()
    assert len(lines) > 50
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


def test_the_lock_names_no_package_index() -> None:
    assert re.findall(r"https?:|://|index|find-links|file:", LOCK) == []


def test_the_lock_holds_what_the_project_asks_for() -> None:
    locked = {name: version for name, version, _ in PINNED.findall(re.sub(r" \\\n\s*", " ", LOCK))}
    extras = PROJECT["project"]["optional-dependencies"]["dev"]
    asked = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"], *extras]
    for requirement in map(Requirement, asked):
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier, requirement


# --- the Python that the Makefile finds


class Machine:
    """A machine of scripts: nothing on PATH but `sh` and what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.home = folder / "bin", folder / "home"
        self.home.mkdir()
        self.script("bin/sh", f'exec {shutil.which("sh")} "$@"')
        self.env = {"PATH": str(self.bin), "HOME": str(self.home)}

    def script(self, name: str, body: str) -> Path:
        path = self.bin.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        path.chmod(0o755)
        return path

    def new_python(self, name: str) -> Path:
        """A Python that runs: the one of this test, which is new enough."""
        return self.script(name, f'exec {sys.executable} "$@"')

    def old_python(self, name: str) -> Path:
        """A Python that runs and takes itself for 3.11."""
        code = "import sys; sys.version_info = (3, 11, 7); exec(sys.argv[1])"
        return self.script(name, f"shift\nexec {sys.executable} -c '{code}' \"$@\"")

    def shim(self, name: str) -> Path:
        """A pyenv shim that refuses to start."""
        return self.script(name, f"echo 'pyenv: {Path(name).name}: command not found' >&2\nexit 127")

    def make(self, target: str, python: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        make = shutil.which("make")
        assert make is not None
        env = self.env | {"PYTHON": python}
        return subprocess.run([make, "-s", target], cwd=cwd, env=env, capture_output=True, text=True, check=False)

    def found(self, python: str = "") -> Path:
        result = self.make("python", python)
        assert result.returncode == 0, result.stderr
        return Path(result.stdout.removesuffix("\n"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose `python3` is 3.11 and whose `python3.12` does not start."""
    machine = Machine(tmp_path)
    machine.old_python("bin/python3")
    machine.shim("bin/python3.12")
    return machine


def test_a_newer_name_is_found_beside_an_old_python3(machine: Machine) -> None:
    expected = machine.new_python("bin/python3.13")
    assert machine.found() == expected


def test_plain_python3_will_do_if_it_is_new(machine: Machine) -> None:
    expected = machine.new_python("bin/python3")
    assert machine.found() == expected


def test_a_python_without_venv_is_passed_over(machine: Machine) -> None:
    code = "import sys; sys.modules['ensurepip'] = None; exec(sys.argv[1])"
    machine.script("bin/python3.13", f'shift\nexec {sys.executable} -c "{code}" "$@"')
    expected = machine.new_python("bin/python3.14")
    assert machine.found() == expected


def test_pyenvs_own_folder_is_searched(machine: Machine) -> None:
    machine.script("bin/pyenv", f"echo {machine.home.parent}/envs")
    machine.new_python("envs/versions/3.11.7/bin/python")
    machine.shim("envs/versions/3.12.0/bin/python")
    expected = machine.new_python("envs/versions/3.12.1/bin/python")
    assert machine.found() == expected


def test_pyenvs_usual_folder_is_searched_where_pyenv_is_not_on_path(machine: Machine) -> None:
    expected = machine.new_python("home/.pyenv/versions/3.13.0/bin/python")
    assert machine.found() == expected


def test_uv_is_asked_what_it_finds(machine: Machine) -> None:
    expected = machine.new_python("somewhere/python")
    machine.script("bin/uv", f'[ "$1 $2" = "python find" ] && echo {expected}')
    assert machine.found() == expected


def test_uv_is_asked_to_provide_one(machine: Machine) -> None:
    expected, mark = machine.new_python("somewhere/python"), machine.home / "installed"
    find = f'[ "$2" = find ] && [ -e {mark} ] && echo {expected} && exit 0'
    machine.script("bin/uv", f'{find}\n[ "$2" = install ] && : > {mark}')
    assert machine.found() == expected


def test_the_named_python_comes_first(machine: Machine) -> None:
    machine.new_python("bin/python3.13")
    expected = machine.new_python("mine/python")
    assert machine.found(str(expected)) == expected


def test_a_named_python_that_is_too_old_is_passed_over_aloud(machine: Machine) -> None:
    expected = machine.new_python("bin/python3.13")
    named = machine.old_python("mine/python")
    result = machine.make("python", str(named))
    assert result.stdout == f"{expected}\n"
    assert result.stderr.startswith(f"PYTHON={named} is no Python >= 3.12 ")


@pytest.mark.parametrize("target", ["python", "install"])
def test_without_any_one_line_says_what_to_install(machine: Machine, tmp_path: Path, target: str) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / ".ci").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", ".ci/find-python"):
        shutil.copy(ROOT / name, clone / name)
    result = machine.make(target, cwd=clone)
    assert result.returncode != 0
    assert result.stdout == ""
    ours = [line for line in result.stderr.splitlines() if not line.startswith("make: ")]
    assert len(ours) == 1
    assert ours[0].startswith("Hexakota needs Python 3.12 or newer with venv: install it, ")
    assert not (clone / ".venv").exists()


# --- system packages


def test_test_system_says_that_it_cannot_without_apt(machine: Machine) -> None:
    result = machine.make("test-system")
    assert result.returncode != 0
    assert result.stderr.startswith("test-system: no apt-get here; install by hand: qgis ")


def test_test_system_says_that_it_cannot_without_rights(machine: Machine) -> None:
    machine.script("bin/apt-get", "echo called >&2; exit 1")
    machine.script("bin/id", "echo 1000")
    machine.script("bin/sudo", "exit 1")
    result = machine.make("test-system")
    assert result.returncode != 0
    assert result.stderr.startswith("test-system: needs root, or sudo without a password, to install: qgis ")
    assert "called" not in result.stderr


def test_test_system_updates_before_it_installs(machine: Machine) -> None:
    log = machine.home / "log"
    machine.script("bin/apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {log}')
    machine.script("bin/id", "echo 0")
    machine.script("bin/env", 'export "$1"; shift; exec "$@"')
    result = machine.make("test-system")
    assert result.returncode == 0, result.stderr
    update, install = log.read_text("utf-8").splitlines()
    assert update.startswith("noninteractive ")
    assert update.endswith(" update")
    assert " install -y --no-install-recommends qgis " in install


# --- distribution


def test_the_installed_command_is_ours() -> None:
    try:
        installed = distribution("hexakota")
    except PackageNotFoundError:
        pytest.skip("hexakota is not installed in this environment: `make install`")
    (command,) = [point for point in installed.entry_points if point.name == "hexakota"]
    assert (command.group, command.value) == ("console_scripts", "services.cli:main")
    assert callable(command.load())
    assert installed.version == spatial.__version__
    assert installed.metadata["Requires-Python"] == ">=3.12"


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("spatial", "services"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    files = {str(path.relative_to(source)) for name in ("spatial", "services") for path in (source / name).rglob("*.*")}
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = out.glob("hexakota-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert files - set(archive.namelist()) == set()


# --- rules


def _ours() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git clone: cannot tell which files are the project's")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<![\w.~-])/(?:root|work|farm|Users|home/[a-z]+)/",
        r"--(?:extra-)?index-url|--find[-]links|pythonhosted\.org|pypi\.org/simple",
    ],
    ids=["paths of a machine", "package indexes"],
)
def test_no_file_names(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in _ours()
        for match in re.finditer(pattern, path.read_bytes().decode("utf-8", "ignore"))
    ]
    assert found == []


def _session(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a session of one test that passes, one that skips and a module that skips, under our conftest.py."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (folder / "test_a.py").write_text(
        "import pytest\ndef test_passes(): pass\ndef test_skips(): pytest.skip('no QGIS here')\n", "utf-8"
    )
    (folder / "test_b.py").write_text("import pytest\npytest.importorskip('no_such_module')\n", "utf-8")
    ours = ("HEXAKOTA_REQUIRE_EXTRAS", "PYTEST_ADDOPTS")
    clean = {key: value for key, value in os.environ.items() if key not in ours}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, env=clean | env, capture_output=True, text=True, check=False)


def test_a_skip_is_a_failure_where_everything_must_run(tmp_path: Path) -> None:
    result = _session(tmp_path, HEXAKOTA_REQUIRE_EXTRAS="1")
    assert result.returncode == 1
    assert re.search(r"^test_a\.py::test_skips: .*no QGIS here$", result.stdout, re.MULTILINE)
    assert re.search(r"^test_b\.py: .*no_such_module", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1].startswith("1 passed, 2 skipped")


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    result = _session(tmp_path)
    assert result.returncode == 0
    assert "no QGIS here" not in result.stdout


def test_the_loopback_is_open_and_the_rest_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
    one, other = socket.socketpair()
    blocked = pytest.raises((SocketConnectBlockedError, UserWarning), match=r"192\.0\.2\.1")
    quiet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # the connect of a datagram socket sends nothing
    with one, other, quiet, blocked:
        quiet.connect(("192.0.2.1", 9))
