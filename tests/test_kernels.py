from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from tiny import CHART

from kpilib.pack import kernels

forks = pytest.mark.skipif(not kernels.Manager.fork, reason="this system starts plain kernels")


class Plain(kernels.Manager):
    fork = False


def run(*sources, manager=kernels.Manager, folder="."):
    cells = [new_code_cell(each) for each in sources]
    client = NotebookClient(
        new_notebook(cells=cells),
        kernel_name="python3",
        kernel_manager_class=manager,
        resources={"metadata": {"path": str(folder)}},
        timeout=30,
        shutdown_kernel="immediate",
    )
    client.execute()
    return cells


def text(cell):
    return "".join(each.get("text", "") for each in cell.outputs).strip()


@pytest.mark.parametrize("manager", [kernels.Manager, Plain])
def test_a_figure_arrives_as_svg_with_its_alt_text_whatever_the_environment_says(manager, monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "agg")
    chart, unattached, told = run(
        CHART,
        "from matplotlib.figure import Figure\nlone = Figure()\nlone.add_subplot()\nlone",
        "import os, sys\nprint(os.getcwd(), sys.executable)",
        manager=manager,
        folder=tmp_path,
    )
    picture = chart.outputs[-1]
    assert "Penetration" in picture.metadata["image/svg+xml"]["alt"]
    assert "<svg" in picture.data["image/svg+xml"]
    assert ">0.30</text>" in picture.data["image/svg+xml"]  # text is text
    assert "dc:date" not in picture.data["image/svg+xml"]
    assert "image/svg+xml" in unattached.outputs[-1].data  # a figure made without pyplot, too
    assert text(told) == f"{tmp_path} {sys.executable}"


@forks
def test_each_notebook_has_a_process_of_its_own_and_the_same_figure_is_the_same_bytes():
    source = "import os, sys\nprint(os.getpid(), os.getppid(), 'seaborn' in sys.modules)"
    (first, chart), (second, again) = run(source, CHART), run(source, CHART)
    (one, server, loaded), (other, same, _) = text(first).split(), text(second).split()
    assert one != other
    assert server == same != str(os.getpid())
    assert loaded == "True"
    assert chart.outputs[-1].data == again.outputs[-1].data


@forks
def test_what_a_notebook_prints_behind_pythons_back_does_not_disturb_the_server():
    (cell, after) = run("import os\nos.write(1, b'{}\\n' * 3)\nprint('here')", "print(1)")
    assert "here" in text(cell)
    assert text(after) == "1"


@pytest.fixture
def started(monkeypatch):
    """A kernel that runs, forked from a server of its own."""
    server = kernels.ForkServer(preload=())
    monkeypatch.setattr(kernels, "fork_server", lambda: server)
    client = NotebookClient(
        new_notebook(),
        kernel_name="python3",
        kernel_manager_class=kernels.Manager,
        shutdown_kernel="immediate",
    )
    with client.setup_kernel():
        yield client.km.provisioner.process, server
    server.stop()


@forks
def test_a_kernel_that_is_killed_is_known_to_be_dead_and_of_what(started):
    process, _ = started
    assert process.poll() is None
    process.kill()
    assert ended(process.poll) == -signal.SIGKILL
    process.terminate()  # harmless: its number may be another's by now


@forks
def test_kernels_end_with_the_process_they_are_forked_from(started):
    process, server = started
    server.stop()
    assert process.poll() == -signal.SIGKILL
    assert ended(lambda: gone(process.pid))


def ended(found, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (value := found()) is not None:
            return value
        time.sleep(0.05)
    return None


def gone(pid):
    """True once a process has ended; an orphan in a container may stay as a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return stat.read_text().rsplit(")", 1)[1].split()[0] == "Z" or None
    except (ProcessLookupError, FileNotFoundError):
        return True


@forks
def test_a_script_without_a_main_guard_is_not_run_again_in_every_kernel(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("print('once')\nfrom test_kernels import run, text\nprint(text(run('print(6 * 7)')[0]))\n")
    here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": here}, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["once", "42"]


def test_nothing_of_a_kernel_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run("1")
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_gets_the_callers_environment_without_what_spoils_figures(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("CLIENT_DB", "somewhere")
    told = kernels.environment()
    assert "MPLBACKEND" not in told
    assert told["CLIENT_DB"] == "somewhere"
