"""The self-test notices every wall that is taken away, before untrusted code runs, and names it."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from damaging import ordinary_rights

from metricloop.sandbox import selftest, selftest_inside, tiers, walls
from metricloop.sandbox.errors import SandboxError
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.sandbox.tiers import missing
from metricloop.scoring import sandboxed
from metricloop.scoring.sandboxed import MetricFile

needs_walls = pytest.mark.usefixtures("walls")
ALL = walls.WALLS
TRACE = """
from metricloop.metrics.contract import metric

open({path!r}, "w").write("I was here")

@metric(level="image")
def leaves_a_trace(frame):
    return 1.0
"""


class Watched(Sandbox):
    """A sandbox that remembers its zygotes: each leads a session, which everything it starts stays in."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.zygotes = []

    def _spawn(self):
        super()._spawn()
        self.zygotes.append(self._process.pid)

    def left(self):
        """The processes that are still there."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += [int(entry.name)] if session in self.zygotes else []
        return found


def without(monkeypatch, *names):
    assert set(names) <= ALL
    monkeypatch.setattr("metricloop.sandbox.walls.WALLS", ALL - set(names))


@needs_walls
def test_with_all_walls_it_starts():
    with Watched() as sandbox:
        assert sandbox.left() == sandbox.zygotes  # the children of the self-test are gone
    assert sandbox.left() == []


@needs_walls
@pytest.mark.parametrize("wall", sorted(ALL))
def test_a_wall_that_is_taken_away_is_noticed(monkeypatch, wall):
    if wall == "user" and os.geteuid() != 0:
        pytest.skip("an ordinary user without capabilities has nothing to give up")
    monkeypatch.setenv("METRICLOOP_TEST_SECRET", "of the parent")
    without(monkeypatch, wall)
    sandbox = Watched()
    with pytest.raises(SandboxError, match=rf"no code was run in it \(([^)]*; )?{wall}: \w+"):
        sandbox.start()
    assert len(sandbox.zygotes) == 1
    assert sandbox.left() == []


@needs_walls
def test_what_got_through_is_said_for_every_wall_at_once(monkeypatch):
    without(monkeypatch, "core", "group")
    with pytest.raises(SandboxError, match=r"\(core: RLIMIT_CORE .*; group: it is not in a process group of its own\)"):
        Sandbox().start()


@needs_walls
def test_no_wall_goes_untried():
    assert set(selftest_inside.ATTEMPTS) == ALL
    assert set(selftest_inside.PROJECT_ATTEMPTS) >= ALL - {"environment", "seals"}  # the zygote's, and the payload's


@needs_walls
@pytest.mark.parametrize("mode", ["score", "run"])
@pytest.mark.parametrize("wall", sorted(ALL - {"environment", "seals", "time", "user", "descriptors"}))
def test_a_wall_missing_in_one_mode_only_is_noticed(monkeypatch, mode, wall):
    class Leaky(Watched):
        def order(self, kind, *arguments, **more):
            made = super().order(kind, *arguments, **more)
            return made if kind != mode else type(made)(**{**vars(made), "walls": tuple(ALL - {wall})})

    sandbox = Leaky()
    with pytest.raises(SandboxError, match=f"{wall}: "):
        sandbox.start()
    assert sandbox.left() == []


@needs_walls
def test_a_filter_of_the_other_mode_is_noticed(monkeypatch):
    """Weakened, not taken away: a metric with a project's filter may start processes."""
    from metricloop.sandbox.syscalls import compile_filter

    monkeypatch.setattr(
        "metricloop.sandbox.supervisor.compile_filter", lambda mode, signals: compile_filter("run", signals)
    )
    with pytest.raises(SandboxError, match="seccomp: a system call gave it a process"):
        Sandbox().start()


@needs_walls
@pytest.mark.parametrize("place", ["/", "/etc", "/tmp"])
def test_a_place_too_many_to_read_is_noticed(monkeypatch, place):
    from metricloop.sandbox.places import readable_places

    monkeypatch.setattr("metricloop.sandbox.supervisor.readable_places", lambda: [*readable_places(), place])
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    with pytest.raises(SandboxError, match=r"landlock: it (read|listed)"):
        Sandbox().start()


@needs_walls
@pytest.mark.parametrize("tested", [True, False])
def test_the_refusal_comes_before_foreign_code(monkeypatch, tmp_path, tested):
    """With four walls away the code below writes a file; the self-test sees to it that it is never run."""
    without(monkeypatch, "landlock", "seccomp", "user", "files")
    if not tested:
        monkeypatch.setattr("metricloop.sandbox.supervisor.prove", lambda sandbox: None)
    source, sandbox = MetricFile(TRACE.format(path=str(tmp_path / "trace")), "trace.py"), Watched(sandboxed.ENTRIES)
    if tested:
        with pytest.raises(SandboxError, match="no code was run in it"):
            sandboxed.declared(sandbox, source)
    else:
        assert list(sandboxed.declared(sandbox, source)) == ["leaves_a_trace"]
        sandbox.close()
    assert (tmp_path / "trace").exists() is not tested
    assert sandbox.left() == []


@needs_walls
def test_a_place_that_was_proven_is_not_proven_again():
    with Watched() as sandbox:
        sandbox._process.kill()
        sandbox._process.wait()
        sandbox.start()
        assert len(sandbox.zygotes) == 2
    assert sandbox.left() == []


@pytest.mark.skipif(sys.platform != "linux", reason="there is one reason on other systems: no Linux")
def test_without_landlock_it_says_so_and_starts_nothing(monkeypatch):
    monkeypatch.setattr("metricloop.sandbox.landlock.abi", lambda: 0)
    (reason,) = [reason for reason in missing() if reason.startswith("Landlock")]
    assert platform.release() in reason
    assert "use kernel 5.13 or newer with landlock among `lsm=`" in reason
    assert tiers.tier() == "none"
    refused(reason)


@pytest.mark.skipif(sys.platform != "linux", reason="there is one reason on other systems: no Linux")
@pytest.mark.parametrize("how", ["no binding", "no library"])
def test_without_libseccomp_it_says_what_to_install_and_starts_nothing(monkeypatch, tmp_path, how):
    from metricloop.sandbox.syscalls import compile_filter

    compile_filter.cache_clear()
    if how == "no binding":
        monkeypatch.setitem(sys.modules, "pyseccomp", None)
    else:  # the binding raises this on import where the shared library is missing
        (tmp_path / "pyseccomp.py").write_text("raise RuntimeError('Unable to find libseccomp')")
        monkeypatch.delitem(sys.modules, "pyseccomp", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
    (reason,) = [reason for reason in missing() if reason.startswith("seccomp")]
    assert "apt install libseccomp2" in reason
    refused(reason)


def test_elsewhere_than_on_linux_it_names_the_way_out_and_starts_nothing(monkeypatch):
    monkeypatch.setattr("metricloop.sandbox.tiers.sys.platform", "darwin")
    monkeypatch.setattr("metricloop.sandbox.tiers.platform.system", lambda: "Darwin")
    (reason,) = missing()
    assert reason == f"Linux: this is Darwin; {tiers.CONTAINER}"
    refused(reason)


@pytest.mark.skipif(sys.platform != "linux", reason="there is one reason on other systems: no Linux")
def test_on_an_unknown_processor_it_starts_nothing(monkeypatch):
    monkeypatch.setattr("metricloop.sandbox.tiers.platform.machine", lambda: "riscv64")
    (reason,) = [reason for reason in missing() if "riscv64" in reason]
    refused(reason)


@pytest.mark.skipif(sys.platform != "linux", reason="there is one reason on other systems: no Linux")
def test_as_root_without_a_user_to_become_it_starts_nothing(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("metricloop.sandbox.tiers.unused_user", lambda: None)
    (reason,) = [reason for reason in missing() if "user id" in reason]
    assert "as an ordinary user" in reason
    refused(reason)


def refused(reason):
    """No zygote is started: `Popen` is not even called."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess, "Popen", None)
        with pytest.raises(SandboxError, match="this machine has no sandbox; missing") as raised:
            Sandbox().start()
    assert reason in str(raised.value)


@pytest.mark.parametrize("blind", ["_deleted", "_mapped"])
def test_a_supervisor_that_cannot_count_refuses_projects_and_scores_on(monkeypatch, walls, blind):
    """Root without CAP_SYS_PTRACE, as in a container, does not see what descriptors another user's process holds."""
    monkeypatch.setattr(f"metricloop.sandbox.tree.{blind}", lambda *arguments: 0)
    with Sandbox() as sandbox:
        assert "Root needs CAP_SYS_PTRACE" in sandbox.blind
        with pytest.raises(SandboxError, match="cannot be counted here"):
            sandbox.child("run", "metricloop.sandbox.selftest_inside:outstay", {"seconds": 0})
        with sandbox.child("score", "metricloop.sandbox.selftest_inside:outstay", {"seconds": 0}) as child:
            assert child.receive(5, "it") == b"ran over its time"


@needs_walls
@pytest.mark.parametrize(
    "low",
    [{"processes": 1}, {"batch_seconds": 0.01}, {"scratch_mb": 1}, {"open_files": 16, "file_mb": 1, "written_mb": 1}],
    ids=str,
)
def test_the_self_test_does_not_need_more_than_the_limits_allow(low):
    """What a person may ask for is what is then given: low limits are not refused by a test that needs more."""
    with Sandbox(limits=Limits(**low)) as sandbox:
        assert sandbox.blind == ""
        assert sandbox.limits == Limits(**low)


@needs_walls
def test_nobody_else_can_write_to_the_canary(monkeypatch):
    seen = []
    attack = selftest._attack

    def look(sandbox, mode, folder):
        for path in (folder, folder / "canary"):
            status = path.stat()
            seen.append((status.st_mode & 0o777, status.st_uid == (sandbox.user or os.geteuid())))
        return attack(sandbox, mode, folder)

    monkeypatch.setattr(selftest, "_attack", look)
    with Sandbox():
        assert seen == [(0o700, True), (0o600, True)] * 2


@needs_walls
def test_root_in_a_container_that_obeys_permissions_can_take_the_test(tmp_path, monkeypatch):
    """As root without CAP_DAC_OVERRIDE, which may give files away, and could not read or remove them then."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ordinary_rights(), Watched():
        pass
    assert not list(tmp_path.iterdir())
