"""The queue of jobs: one owner at a time, whatever dies; nothing is lost, run twice, or kept for ever."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from spatial.errors import NotFoundError, StoreError
from spatial.store.jobs import MAX_ATTEMPTS, Job, JobQueue, NewJob, QueueFullError

LOST = {"detail": "lost"}


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A queue with its clock."""

    var: Path
    clock: Clock = field(default_factory=Clock)

    @property
    def queue(self) -> JobQueue:
        return JobQueue(self.var, self.clock)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "var")


def job(name: str = "p", lane: str = "open", serial: bool = False) -> NewJob:
    return NewJob(name, {"inputs": {"x": [1, None, "é"]}}, lane, serial)


def test_the_life_of_a_job(bench: Bench) -> None:
    queue = bench.queue
    made = queue.submit(job(), 5)
    assert (made.status, made.progress, made.attempts, made.started, made.outcome) == ("accepted", 0, 0, None, None)
    assert made.created == datetime.fromtimestamp(1_000_000, UTC)
    bench.clock.now += 10
    mine = queue.claim("w1", 30)
    assert (mine.id, mine.status, mine.worker, mine.attempts) == (made.id, "running", "w1", 1)
    assert mine.started == datetime.fromtimestamp(1_000_010, UTC)
    assert mine.request == {"inputs": {"x": [1, None, "é"]}}
    assert queue.claim("w2", 30) is None
    assert queue.tell(mine, 40, "menghitung", "computing")
    told = queue.get(made.id)
    assert (told.progress, told.message_id, told.message_en) == (40, "menghitung", "computing")
    staged = queue.staging(mine)
    staged.mkdir(parents=True)
    (staged / "a.csv").write_text("1")
    bench.clock.now += 5
    assert queue.finish(mine, {"n": {"value": 1}})
    done = JobQueue(bench.var).get(made.id)  # another process, later
    assert (done.status, done.progress, done.outcome) == ("successful", 100, {"n": {"value": 1}})
    assert (done.finished - done.started).total_seconds() == 5
    assert (queue.results(made.id) / "a.csv").read_text() == "1"
    assert not staged.exists()


def test_the_oldest_goes_first_and_of_serial_jobs_one_runs(bench: Bench) -> None:
    queue = bench.queue
    first, second, third = (queue.submit(job(serial=serial), 9) for serial in (True, True, False))
    mine = queue.claim("w1", 30)
    assert mine.id == first.id
    assert queue.claim("w2", 30).id == third.id  # passes the second serial job by
    assert queue.claim("w3", 30) is None
    assert queue.finish(mine, {})
    assert queue.claim("w3", 30).id == second.id


def test_a_lane_takes_no_more_than_may_wait(bench: Bench) -> None:
    queue = bench.queue
    for _ in range(2):
        queue.submit(job(lane="open"), 2)
    with pytest.raises(QueueFullError, match="no more than 2"):
        queue.submit(job(lane="open"), 2)
    queue.submit(job(lane="guarded"), 2)  # the other lane is not full
    queue.claim("w", 30)
    queue.submit(job(lane="open"), 2)  # one runs, so one waits less


def test_a_job_whose_worker_dies_is_begun_once_more_and_then_failed(bench: Bench) -> None:
    queue = bench.queue
    made = queue.submit(job(), 5)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        held = queue.claim(f"w{attempt}", 30)
        assert held.attempts == attempt
        bench.clock.now += 29
        queue.recover(LOST)
        assert queue.get(made.id).status == "running"  # the lease is not over
        assert queue.beat(held, 30)
        bench.clock.now += 31
        queue.recover(LOST)
        assert not queue.beat(held, 30)  # too late: it has lost the job
    lost = queue.get(made.id)
    assert (lost.status, lost.outcome) == ("failed", LOST)
    assert queue.claim("w3", 30) is None


def test_a_lost_worker_changes_nothing(bench: Bench) -> None:
    """It wakes up while another runs its job, and after that one has finished: results and files of the other stay."""
    queue = bench.queue
    made = queue.submit(job(), 5)
    asleep = queue.claim("w1", 30)
    queue.staging(asleep).mkdir(parents=True)
    (queue.staging(asleep) / "a").write_text("old")
    bench.clock.now += 31
    queue.recover(LOST)
    second = queue.claim("w2", 30)
    for late in (queue.beat, queue.release):
        assert late(asleep) is False
    for end in (queue.fail, queue.finish):
        assert end(asleep, {}) is False
    assert queue.tell(asleep, 99, "", "") is False
    assert queue.get(made.id) == second
    queue.staging(asleep).mkdir(parents=True)
    (queue.staging(asleep) / "a").write_text("old")
    queue.staging(second).mkdir(parents=True)
    (queue.staging(second) / "a").write_text("new")
    assert queue.finish(second, {"who": 2})
    for late in (queue.beat(asleep), queue.tell(asleep, 99, "", ""), queue.release(asleep), queue.fail(asleep, LOST)):
        assert late is False
    assert queue.finish(asleep, {"who": 1}) is False
    assert queue.get(made.id).outcome == {"who": 2}
    assert (queue.results(made.id) / "a").read_text() == "new"


def test_dismiss(bench: Bench) -> None:
    queue = bench.queue
    waiting, running = queue.submit(job(), 5), queue.submit(job(), 5)
    assert queue.dismiss(waiting.id).status == "dismissed"
    held = queue.claim("w", 30)
    assert held.id == running.id
    assert queue.dismiss(running.id).status == "dismissed"
    assert not queue.beat(held)
    assert not queue.finish(held, {})
    assert queue.get(running.id).status == "dismissed"
    assert queue.dismiss(running.id).status == "dismissed"  # now it goes
    with pytest.raises(NotFoundError, match="no job"):
        queue.get(running.id)
    with pytest.raises(NotFoundError):
        queue.dismiss("x' OR '1'='1")
    assert [left.id for left in queue.all()] == [waiting.id]


def test_a_worker_that_is_told_to_stop_gives_its_job_back(bench: Bench) -> None:
    queue = bench.queue
    made = queue.submit(job(), 5)
    assert queue.release(queue.claim("w1", 30))
    back = queue.get(made.id)
    assert (back.status, back.attempts, back.worker, back.started) == ("accepted", 0, None, None)
    assert queue.claim("w2", 30).attempts == 1


def test_a_job_of_the_server_itself_is_never_queued_again(bench: Bench) -> None:
    queue = bench.queue
    made = queue.start(job(), "server", 30)
    assert queue.claim("w", 30) is None
    bench.clock.now += 31
    queue.recover(LOST)
    assert queue.get(made.id).status == "failed"


def test_workers_are_there_while_they_say_so(bench: Bench) -> None:
    queue = bench.queue
    assert not queue.manned()
    queue.sign_on("w", 30)
    assert queue.manned()
    bench.clock.now += 31
    assert not queue.manned()
    queue.sign_on("w", 30)
    queue.sign_off("w")
    assert not queue.manned()


def _ended(queue: JobQueue) -> Job:
    queue.submit(job(), 99)
    held = queue.claim("w", 30)
    queue.staging(held).mkdir(parents=True)
    assert queue.finish(held, {})
    return held


def test_prune_by_age_and_number_and_orphaned_files(bench: Bench) -> None:
    queue = bench.queue
    old = [_ended(queue) for _ in range(2)]
    bench.clock.now += 2 * 86400
    new = [_ended(queue) for _ in range(4)]
    queue.submit(job(), 99)
    running = queue.claim("w", 30)
    for folder in (queue.staging(running), bench.var / "jobs/.gone-1", bench.var / "jobs/gone", queue.var / "jobs/x-y"):
        folder.mkdir(parents=True)
    waiting = queue.submit(job(), 99)
    assert set(queue.prune(keep=3, days=1)) == {old[0].id, old[1].id, new[0].id}
    assert {left.id for left in queue.all()} == {*(one.id for one in new[1:]), running.id, waiting.id}
    kept = {*(one.id for one in new[1:]), queue.staging(running).name}
    assert {folder.name for folder in (bench.var / "jobs").iterdir()} == kept


def test_a_list_leaves_out_what_is_long(bench: Bench) -> None:
    queue = bench.queue
    queue.submit(job(), 9)
    assert queue.finish(queue.claim("w"), {"a": 1})
    queue.submit(job(), 9)
    assert queue.fail(queue.claim("w"), LOST)
    failed, done = queue.all()
    assert (failed.outcome, done.outcome, done.request) == (LOST, None, {})


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_text("this is no database, but long enough to be looked at as one" * 20)
    with pytest.raises(StoreError, match=r"jobs\.sqlite: cannot be used"):
        JobQueue(tmp_path).all()


class Owners(RuleBasedStateMachine):
    """Three workers, jobs of which every second is serial, time that runs out: checked after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name))
        self.queue = self.bench.queue
        self.held: list[Job] = []
        self.submitted = 0
        self.finished: list[str] = []
        self.begun: Counter[str] = Counter()

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule()
    def submit(self) -> None:
        self.submitted += 1
        self.queue.submit(job(serial=self.submitted % 2 == 0), 100)

    @rule(worker=st.integers(0, 2))
    def claim(self, worker: int) -> None:
        claimed = self.queue.claim(f"w{worker}", 30)
        if claimed is not None:
            self.held.append(claimed)
            self.begun[claimed.id] += 1

    @rule(which=st.integers(0, 20), what=st.sampled_from(["beat", "finish", "fail", "release"]))
    def work(self, which: int, what: str) -> None:
        """A worker does something with a job that it has, or thinks that it has."""
        if not self.held:
            return
        one = self.held[which % len(self.held)]
        mine = _claim_of(one) in {_claim_of(row) for row in self.queue.all() if row.status == "running"}
        more = {"beat": (30,), "finish": ({},), "fail": (LOST,), "release": ()}[what]
        assert getattr(self.queue, what)(one, *more) is mine
        self.finished += [one.id] * (mine and what == "finish")
        self.begun[one.id] -= mine and what == "release"

    @rule(seconds=st.sampled_from([1, 20, 31]))
    def wait(self, seconds: int) -> None:
        self.bench.clock.now += seconds

    @rule()
    def recover(self) -> None:
        self.queue.recover(LOST)

    @rule(which=st.integers(0, 20))
    def dismiss(self, which: int) -> None:
        known = self.queue.all()
        if known:
            self.queue.dismiss(known[which % len(known)].id)

    @invariant()
    def each_running_job_has_one_owner(self) -> None:
        running = [_claim_of(row) for row in self.queue.all() if row.status == "running"]
        owners = Counter(_claim_of(one) for one in self.held if _claim_of(one) in running)
        assert set(owners) == set(running)
        assert all(times <= MAX_ATTEMPTS for times in self.begun.values())
        assert len(self.finished) == len(set(self.finished))

    @invariant()
    def one_serial_job_runs(self) -> None:
        with closing(sqlite3.connect(self.queue.file)) as db:
            known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone()
            query = "SELECT count(*) FROM jobs WHERE serial AND status = 'running'"
            assert known is None or db.execute(query).fetchone()[0] <= 1


def _claim_of(one: Job) -> tuple[str, str | None, int]:
    return one.id, one.worker, one.attempts


TestOwners = Owners.TestCase
TestOwners.settings = settings(max_examples=15, stateful_step_count=25)


TAKER = """
import json, sys
from pathlib import Path
from spatial.store.jobs import JobQueue

queue, taken = JobQueue(Path(sys.argv[1])), []
print("ready", flush=True)
sys.stdin.readline()
while (job := queue.claim(sys.argv[2])) is not None:
    taken.append(job.id)
    assert queue.tell(job, 50, "", "")
    assert queue.finish(job, {"by": sys.argv[2]})
print(json.dumps(taken))
"""


def test_several_workers_never_run_one_job(tmp_path: Path) -> None:
    """Four processes take 100 jobs from one file, while four threads put them in."""
    queue = JobQueue(tmp_path)
    command = [sys.executable, "-c", TAKER, str(tmp_path)]
    takers = [
        subprocess.Popen([*command, f"w{i}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for i in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        made = {one.id for one in pool.map(lambda _: queue.submit(job(), 1000), range(50))}
        for taker in takers:
            assert taker.stdout.readline() == "ready\n"
        for taker in takers:
            taker.stdin.write("\n")
            taker.stdin.flush()
        made |= {one.id for one in pool.map(lambda _: queue.submit(job(), 1000), range(50))}
    taken = [json.loads(taker.communicate(timeout=60)[0]) for taker in takers]
    left = {one.id for one in queue.all() if one.status == "accepted"}  # put in after all takers had left
    flat = [one for part in taken for one in part]
    assert len(flat) == len(set(flat))
    assert set(flat) | left == made
    assert len(flat) >= 50
    for part, name in zip(taken, ("w0", "w1", "w2", "w3"), strict=True):
        assert all(queue.get(one).outcome == {"by": name} for one in part)
