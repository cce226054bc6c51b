"""The confinement: nothing of an image runs, nothing outside is seen, with real bubblewrap and real oscap."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import typing as t

import pytest
from ansible_collections.scap.images.plugins.module_utils.model import ScapError
from ansible_collections.scap.images.plugins.module_utils.process import Completed, run
from ansible_collections.scap.images.plugins.module_utils.scanner import confine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts without a user namespace need root")

_CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.scap.images.plugins.module_utils.scanner import confine, mounts
work = sys.argv[2]
assert mounts.private_mounts()
assert mounts.without_execution(work + "/root", work + "/view")
confine.prepare_home(work + "/home", "amd64")
sandbox = confine.Sandbox(root=work + "/view", out=work + "/out", home=work + "/home", variables=("container=oci",))
done = sandbox.run(sys.argv[3:], timeout=60)
print(json.dumps([done.returncode, done.stdout.decode(), done.stderr.decode()]))
"""


@pytest.fixture
def work(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("root/usr/bin", "root/etc", "out"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def _confined(work: pathlib.Path, *argv: str) -> tuple[int, str, str]:
    """Run a program confined, from a process of its own, since the mounts belong to the process."""
    import json

    path = pathlib.Path(confine.__file__)
    top = next(parent.parent for parent in path.parents if parent.name == "ansible_collections")
    done: Completed = run(["python3", "-c", _CHILD, str(top), str(work), *argv], timeout=120)
    assert done.returncode == 0, done.error
    return t.cast("tuple[int, str, str]", tuple(json.loads(done.stdout)))


def test_a_program_of_the_image_cannot_be_executed(work: pathlib.Path) -> None:
    planted = work / "root/usr/bin/dpkg"
    shutil.copy("/bin/true", planted)
    planted.chmod(0o4755)
    status, _out, error = _confined(work, f"{confine.ROOT}/usr/bin/dpkg")
    assert status != 0
    assert "Permission denied" in error


def test_a_library_of_the_image_cannot_be_loaded(work: pathlib.Path) -> None:
    library = next(pathlib.Path("/usr/lib").glob("*/libz.so.1*")).resolve()
    shutil.copy(library, work / "root/lib.so")
    code = f"import ctypes; ctypes.CDLL({confine.ROOT + '/lib.so'!r})"
    status, _out, error = _confined(work, "/usr/bin/python3", "-c", code)
    assert status != 0
    assert "failed to map segment" in error


def test_what_a_confined_program_sees(work: pathlib.Path) -> None:
    code = """
import os
print(sorted(os.listdir("/")))
print(sorted(name for name in os.listdir("/proc") if name.isdigit()) < ["9"])
print(sorted(os.environ))
print(open("/proc/self/status").read().split("CapEff:")[1].split()[0])
print([line.split(":")[0].strip() for line in open("/proc/net/dev")][2:])
print(open("/etc/mtab").read().count(" /scap/root "))
"""
    status, out, error = _confined(work, "/usr/bin/python3", "-c", code)
    assert status == 0, error
    entries, _pids, names, capabilities, interfaces, mounts = out.splitlines()
    assert "home" not in entries
    assert "root'" not in entries
    assert names == str(
        sorted(
            [
                "APT_CONFIG",
                "HOME",
                "LANG",
                "LC_ALL",
                "OSCAP_CONTAINER_VARS",
                "OSCAP_PROBE_ROOT",
                "PATH",
                "PWD",
                "TMPDIR",
                "TZ",
            ]
        )
    )
    assert int(capabilities, 16) == (1 << 18) | (1 << 1)  # CAP_SYS_CHROOT, CAP_DAC_OVERRIDE
    assert interfaces == "['lo']"
    assert mounts == "1"


def test_an_inherited_environment_does_not_reach_oscap(work: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 14."""
    monkeypatch.setenv("OSCAP_PROBE_IGNORE_PATHS", "/")
    monkeypatch.setenv("OSCAP_PROBE_MAX_COLLECTED_ITEMS", "1")
    _status, out, _error = _confined(work, "/usr/bin/env")
    assert "IGNORE" not in out
    assert "MAX_COLLECTED" not in out


def test_the_host_cannot_be_reached(work: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        status, _out, error = _confined(work, "/usr/bin/python3", "-c", code)
        assert status != 0
        assert "ConnectionRefused" in error
        with pytest.raises(BlockingIOError):
            server.accept()


def test_nothing_outside_can_be_written(work: pathlib.Path) -> None:
    code = """
import os
for path in ("/usr/planted", "/scap/home/planted", "/scap/root/planted", "/scap/out/planted"):
    try:
        open(path, "w").close()
        print(path)
    except OSError:
        pass
"""
    _status, out, _error = _confined(work, "/usr/bin/python3", "-c", code)
    assert out.split() == ["/scap/root/planted", "/scap/out/planted"]
    assert not os.path.exists("/usr/planted")


def test_the_version_of_oscap_and_its_absence(work: pathlib.Path) -> None:
    confine.prepare_home(str(work / "home"), "amd64")
    sandbox = confine.Sandbox(root=str(work / "root"), out=str(work / "out"), home=str(work / "home"))
    assert confine.oscap_version(sandbox).startswith("1.")
    empty = work / "tools"
    shutil.copytree("/usr/share/doc/bubblewrap", empty / "usr/share/doc/bubblewrap", symlinks=True)
    without = confine.Sandbox(root=str(work / "root"), out=str(work / "out"), home=str(work / "home"), tools=str(empty))
    with pytest.raises(ScapError, match="install openscap-scanner"):
        confine.oscap_version(without)
