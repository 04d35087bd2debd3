"""Notebooks run by papermill, on kernels forked for them, and what stopped one told plainly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from time import perf_counter
from typing import Any

import nbformat
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill import PapermillExecutionError, execute_notebook
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.execute import ERROR_MARKER_TAG
from papermill.parameterize import parameterize_notebook
from tqdm import tqdm

from kpilib.errors import KpiError
from kpilib.pack import kernels, outputs
from kpilib.pack.parameters import ParameterError, checked, declared, looks_secret

ENGINE = "kpilib"
PYTHON = {"kernel_name": "python3", "language": "python"}
STARTS = 3  # of one kernel; a run is never repeated


@dataclass(frozen=True)
class Job:
    """A notebook to run, what it is told, and where it goes when executed."""

    notebook: Path
    values: Mapping[str, Any]
    executed: Path


@dataclass(frozen=True)
class Failure:
    """What stopped a notebook, and where: ``cell`` counts from 1 as in the notebook's source."""

    notebook: str
    cell: int | None
    name: str
    heading: str
    error: str
    message: str

    def __str__(self) -> str:
        named = f" ({self.name})" if self.name else ""
        place = f"cell {self.cell}{named}" if self.cell else "before its first cell"
        under = f' under "{self.heading}"' if self.heading else ""
        told = " ".join(f"{self.error}: {self.message}".strip(": ").split())
        return f"{self.notebook}, {place}{under}: {told[:1000]}"


class NotebookError(KpiError):
    """Notebooks could not be run to their end, or put out what cannot be published."""

    def __init__(self, failures: Sequence[Failure], do: str = "") -> None:
        many = "A notebook" if len(failures) == 1 else f"{len(failures)} notebooks"
        told = "\n".join(f"  - {each}" for each in failures)
        super().__init__(f"{many} failed:\n{told}" + f"\n{do}" * bool(do))
        self.failures = tuple(failures)


def prepare(job: Job) -> Job:
    """Read a notebook and check what it is to be told; nothing runs yet.

    Raises
    ------
    ParameterError
        When it cannot be read, declares its parameters wrongly, or carries a credential.
    """
    where = job.notebook.name
    try:
        notebook = nbformat.read(job.notebook, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise ParameterError(f"{where} cannot be read as a notebook: {error}") from error
    if any(looks_secret(cell.source) for cell in notebook.cells):
        raise ParameterError(
            f"{where} carries a credential, which would be published with it.",
            do="Put it into an environment variable and read that where it is used.",
        )
    values = checked(job.values, declared(notebook, where), where)
    return Job(job.notebook, values, job.executed)


def run(jobs: Sequence[Job], at_once: int = 2, timeout: int = 600, progress: bool = True) -> list[float]:
    """Run prepared notebooks, so many at once, each in its own folder; return their seconds.

    Raises
    ------
    NotebookError
        With every notebook that failed. Each is kept as far as it ran, at ``job.executed``.
    """
    papermill_engines.register(ENGINE, _Engine)
    stop = Event()
    with _bar(jobs, progress) as step, ThreadPoolExecutor(at_once) as pool:

        def one(job: Job) -> float | Failure:
            with _closed_loop():
                return _run_one(job, timeout, lambda **_: _step_unless(stop, step))

        try:
            results = list(pool.map(one, jobs))
        except BaseException:  # Ctrl-C, above all
            stop.set()  # a plain kernel ends before its next cell
            kernels.fork_server().stop()
            raise
    failures = [each for each in results if isinstance(each, Failure)]
    if failures:
        raise NotebookError(failures)
    return results


def told(notebook: Any, values: Mapping[str, Any], name: str) -> Any:
    """Return an executed notebook as told other values, without paths of this machine."""
    notebook = parameterize_notebook(notebook, dict(values), **PYTHON)
    notebook.metadata.papermill.update(input_path=name, output_path=name)
    return notebook


class _Client(PapermillNotebookClient):
    """papermill's client; a kernel that does not start is started again, the last time plainly."""

    def start_new_kernel(self, **options: Any) -> None:
        """Only take note: the start proper is where its success is known and it can be repeated."""
        self._options = options

    def start_new_kernel_client(self, **options: Any) -> Any:
        """Start a kernel and wait until it answers."""
        for left in reversed(range(STARTS)):
            self.km = self.create_kernel_manager()
            self.km.fork = self.km.fork and left > 0
            self.km.log = self.log
            try:
                super().start_new_kernel(**self._options)
                return super().start_new_kernel_client(**options)
            except RuntimeError:
                if not left:
                    raise
        return None


class _Engine(Engine):
    """papermill's engine on kernels of this very Python, forked where that is possible."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, folder: str, timeout: int, step: Any, **_: Any
    ) -> None:
        quiet = logging.Logger("papermill")  # what it would say is in our own message
        quiet.addHandler(logging.NullHandler())
        _Client(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=kernels.Manager,
            resources={"metadata": {"path": folder}},
            timeout=timeout,
            iopub_timeout=60,
            shutdown_kernel="immediate",
            on_cell_start=step,
            log=quiet,
        ).execute()


def _run_one(job: Job, timeout: int, step: Callable[..., None]) -> float | Failure:
    """Run one notebook; return its seconds, or what stopped it."""
    started = perf_counter()
    try:
        notebook = execute_notebook(
            _literal(job.notebook),
            _literal(job.executed),
            dict(job.values),
            engine_name=ENGINE,
            progress_bar=False,
            folder=str(job.notebook.parent),
            timeout=timeout,
            step=step,
            **PYTHON,
        )
    except PapermillExecutionError as error:
        return _failure(job, error.ename, error.evalue)
    except DeadKernelError:
        return _failure(job, "", "its kernel died while this cell ran, often of too little memory")
    except CellTimeoutError:
        return _failure(job, "", f"it was not done after {timeout} seconds")
    except RuntimeError as error:
        return _failure(job, "", f"its kernel did not start, or was lost ({error})")
    if notebook.metadata.papermill.get("exception"):  # papermill takes sys.exit() for success
        return _failure(job, "SystemExit", "it ended itself, and the cells after this one did not run")
    for place, reason in outputs.faults(notebook):
        return _failure(job, "", reason, place)
    return perf_counter() - started


def _failure(job: Job, error: str, message: str, place: int | None = None) -> Failure:
    """Find the cell that was running, which papermill marks completed when its kernel dies."""
    notebook = nbformat.read(job.executed, as_version=4)
    cells = [each for each in notebook.cells if ERROR_MARKER_TAG not in _tags(each)]
    begun = [n for n, each in enumerate(cells) if each.metadata.papermill.get("start_time")]
    place = begun[-1] if place is None and begun else place
    if place is None:
        return Failure(job.notebook.name, None, "", "", error, message)
    cells[place].metadata.papermill.update(status="failed", exception=True)
    nbformat.write(notebook, job.executed)
    ours = sum("injected-parameters" not in _tags(each) for each in cells[: place + 1])
    name, title = cells[place].get("id", ""), outputs.heading(cells, place)
    return Failure(job.notebook.name, ours, name, title, error, message)


def _tags(cell: Any) -> Sequence[str]:
    return cell.metadata.get("tags", ())


def _literal(path: Path) -> str:
    """Write a path so that papermill, which formats it as a template, gets it back unchanged."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _step_unless(stop: Event, step: Callable[[], None]) -> None:
    if stop.is_set():
        raise CancelledError
    step()


@contextmanager
def _closed_loop() -> Iterator[None]:
    """Close the event loop that nbclient opens for a thread and leaves to itself."""
    try:
        yield
    finally:
        loop = ensure_event_loop()
        left = asyncio.all_tasks(loop)
        for each in left:
            each.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


@contextmanager
def _bar(jobs: Sequence[Job], progress: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar over all cells of all notebooks."""
    cells = sum(len(nbformat.read(each.notebook, as_version=4).cells) for each in jobs)
    cells += sum(bool(each.values) for each in jobs)  # papermill puts them in a cell
    lock = Lock()
    with tqdm(total=cells, unit="cell", disable=not progress, desc="Running notebooks") as bar:

        def step() -> None:
            with lock:
                bar.update()

        yield step
