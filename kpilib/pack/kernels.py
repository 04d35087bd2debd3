"""Kernels forked from a process whose imports are done: a notebook starts in half a second.

Each notebook still has a process of its own. Where a loaded process cannot be forked safely
(Windows, macOS) the same :class:`Manager` starts plain kernels.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Lock
from typing import Any
from uuid import uuid4
from weakref import finalize

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

INLINE = "module://matplotlib_inline.backend_inline"

# What every chapter needs and what is safe to fork: nothing here starts a thread when imported
# that does not survive (polars and Spark would).
PRELOAD = (
    "kpilib.pack.kernels",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "IPython.core.completer",
    "pandas",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_svg",
    "matplotlib_inline.backend_inline",
    "seaborn",
    "scipy.stats",
    "duckdb",
    "kpilib.captions",
    "kpilib.figures",
    "kpilib.kept",
    "kpilib.ledger",
    "kpilib.penetration",
    "kpilib.publish",
    "kpilib.tables",
    "kpilib.wording",
)


class Manager(AsyncKernelManager):
    """Starts this very Python, forked where ``fork`` allows it, in an environment fit for figures.

    A kernel specification of the user's that is also called ``python3`` is not asked: it may
    belong to another Python.
    """

    fork = sys.platform not in ("win32", "darwin") and hasattr(os, "fork")

    async def start_kernel(self, **options: Any) -> None:
        """Start the kernel; ``options`` are those of :mod:`jupyter_client`."""
        room = mkdtemp(prefix="kpi-")  # of our own: sockets need short names
        self._leave = finalize(self, rmtree, room, ignore_errors=True)
        self.connection_file = str(Path(room) / "kernel.json")
        self.kernel_id = str(uuid4())
        if self.fork:
            self.transport = "ipc"  # a port may be taken between choosing and binding it
            self.provisioner = Forked(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        await super().start_kernel(**{**options, "env": environment(options.get("env"))})

    async def cleanup_resources(self, restart: bool = False) -> None:
        """Clean up after the kernel has ended."""
        await super().cleanup_resources(restart=restart)
        self._leave()

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the command line of a plain kernel; a forked one uses what follows ``-f``."""
        told = ["-f", self.connection_file, "--ext=kpilib.pack.kernels", "--log-level=ERROR"]
        return [sys.executable, "-m", "ipykernel_launcher", *told, *(extra_arguments or [])]


class Forked(LocalProvisioner):
    """Launches a kernel by asking the fork server for one."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Fork the kernel and say where it listens."""
        folder = str(options.get("cwd") or Path.cwd())
        told = cmd[cmd.index("-f") :]
        pid = fork_server().fork(told, folder, options["env"])
        self.process, self.pid, self.pgid, self.cwd = Process(pid), pid, pid, folder
        return self.connection_info


class Process:
    """The little of ``subprocess.Popen`` that jupyter_client asks of a kernel's process."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return None while it lives, then its exit code (minus the signal that ended it)."""
        if self.returncode is None:
            self.returncode = fork_server().exit_code(self.pid)
        return self.returncode

    wait = poll  # jupyter_client waits by polling, and calls this when all is over

    def send_signal(self, number: int) -> None:
        """Signal the process; it is not reaped before a poll, so its number is still its own."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class ForkServer:
    """The process that kernels are forked from: started once, gone when this process is.

    A process of its own rather than :mod:`multiprocessing`'s, which would import the caller's
    ``__main__`` again in every kernel.
    """

    def __init__(self, preload: tuple[str, ...] = PRELOAD) -> None:
        self._preload = preload
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Begin the imports, without waiting for them; more than once does no harm."""
        if self.runs:
            return
        begin = f"from kpilib.pack.kernels import serve; serve({self._preload!r})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", begin],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), "MPLBACKEND": INLINE},
            start_new_session=True,  # Ctrl-C is for the caller alone
        )
        atexit.register(self.stop)

    def fork(self, arguments: list[str], folder: str, variables: dict[str, str]) -> int:
        """Return the pid of a new kernel, started in ``folder`` with the environment given."""
        with self._lock:
            self.start()
            return self._ask(arguments=arguments, folder=folder, variables=variables)

    def exit_code(self, pid: int) -> int | None:
        """Return how a kernel ended; None while it runs."""
        with self._lock, suppress(RuntimeError):
            if self.runs:
                return self._ask(pid=pid)
        return -signal.SIGKILL  # a server takes its kernels along

    def _ask(self, **request: Any) -> Any:
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError) as error:
            raise RuntimeError("the process that kernels are forked from has ended") from error

    def stop(self) -> None:
        """End the server, and with it every kernel of its own that still runs."""
        atexit.unregister(self.stop)
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


@cache
def fork_server() -> ForkServer:
    """Return the one fork server of this process."""
    return ForkServer()


def warm() -> None:
    """Begin the kernels' imports now, beside what else there is to do before notebooks run."""
    if Manager.fork:
        fork_server().start()


def environment(given: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a kernel: the caller's, without what would spoil its figures.

    ``MPLBACKEND=agg`` would make every figure vanish without a word; a hash seed of its own for
    every process would give sets, and tables made from them, another order each time.

    Example
    -------
    >>> environment({"MPLBACKEND": "agg", "LANG": "C"})
    {'LANG': 'C', 'PYTHONHASHSEED': '0'}
    """
    variables = dict(os.environ if given is None else given)
    variables.pop("MPLBACKEND", None)
    return {**variables, "PYTHONHASHSEED": "0"}


def load_ipython_extension(shell: Any) -> None:
    """Tell a kernel how to show figures: SVG, its text kept as text, undated, with alt text.

    The alt text is the figure's label (``figure.set_label("...")``); a page falls back on the
    heading above it.
    """
    import matplotlib as mpl
    from IPython.core.pylabtools import print_figure
    from matplotlib.figure import Figure
    from matplotlib_inline.config import InlineBackend

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "kpilib"})
    InlineBackend.instance(parent=shell).figure_formats = {"svg"}
    shell.enable_matplotlib("inline")

    def svg(figure: Figure) -> tuple[str, dict[str, str]]:
        drawn = print_figure(figure, "svg", metadata={"Date": None})
        return drawn, {"alt": str(figure.get_label())}

    shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, svg)


def serve(preload: tuple[str, ...]) -> None:
    """Run the fork server: a request a line comes in, a reply a line goes out."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints must not be taken for a reply
    for name in preload:
        with suppress(Exception):  # the notebook that needs it will say so
            import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        reply = _exit_code(**request) if "pid" in request else _fork(**request)
        print(json.dumps(reply), file=replies, flush=True)


def _exit_code(pid: int) -> int | None:
    """Return how a kernel ended; None while it runs."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # a kernel of the server before this one
        return -signal.SIGKILL
    return os.waitstatus_to_exitcode(status) if found else None


def _fork(arguments: list[str], folder: str, variables: dict[str, str]) -> int:
    """Fork; the parent returns the child's pid, the child becomes a kernel and never returns."""
    server = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.path[:] = [each for each in sys.path if each]  # IPython puts the folder where it belongs
    from ipykernel.kernelapp import IPKernelApp

    # told its parent, a kernel ends when the server does
    IPKernelApp.launch_instance(argv=[*arguments, f"--IPKernelApp.parent_handle={server}"])
    sys.exit()
