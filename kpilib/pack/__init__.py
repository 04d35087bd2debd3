"""The quarterly pack: notebooks run, pages rendered, all of it published in one step.

::

    reports/<engagement's folder>/<quarter>/
        index.html  1_data_check.html  2_penetration.html    for everyone
        tables/*.csv  answer.json                            for pipelines
        notebooks/*.ipynb  manifest.json                     for auditors

A chapter is a notebook whose name begins with a number; one more chapter is one more file, among
the kit's notebooks or beside the engagement. A case study (``N_case_NAME.ipynb``) argues from an engagement of
its own, and is a chapter only where that engagement asks for it.
"""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import EACCES, EDQUOT, EEXIST, ENOSPC, ENOTEMPTY, EPERM, EROFS
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from kpilib.errors import KpiError, near
from kpilib.pack import kernels, manifest
from kpilib.publish import ANSWER, read_answer
from kpilib.quarters import Quarter

if TYPE_CHECKING:
    from kpilib.pack.pages import Table
    from kpilib.pack.running import Job, NotebookError

MANIFEST = "manifest.json"
HANDED = ".handed-over"  # in a pack that is being built: a folder for each notebook
UNWRITABLE = (EACCES, EPERM, EROFS, ENOSPC, EDQUOT)
RIVALS = 100  # publishers of one quarter at the same moment, before something else is wrong


class PackError(KpiError):
    """A pack cannot be made of what is there, or not where it was asked for."""


class Subject(Protocol):
    """What a pack needs to know of an engagement."""

    client: str
    path: Path
    folder: Path
    calendar: Any
    chapters: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A pack before it is made: what is to run, where it is built, where it goes."""

    engagement: Subject
    quarter: Quarter
    final: Path
    building: Path
    jobs: tuple[Job, ...]


def publish(
    engagement: Subject,
    quarter: str,
    out: str | Path,
    notebooks: str | Path = "notebooks",
    inputs: Mapping[str, Any] | None = None,
    progress: bool = True,
    appendix: Mapping[str, str] | None = None,
) -> Path:
    """Run the chapters for a quarter and publish the pack; return its folder.

    Every notebook is told ``engagement``, ``quarter`` and ``tables`` (the folder for what it hands
    over, see :mod:`kpilib.publish`). A pack that is there already is replaced in one step; when
    anything fails it stays as it is.

    Parameters
    ----------
    out
        The folder of all reports; the pack is ``out/<engagement's folder>/<quarter>``.
    notebooks
        The folder of the chapters; numbered notebooks beside the engagement join them.
    inputs
        What the manifest says of the facts: fingerprints, row counts.
    appendix
        Pages after the chapters that no notebook makes: name to HTML, escaped already, that begins
        with its h1.

    Raises
    ------
    QuarterError, PackError, ParameterError
        Before any notebook runs.
    NotebookError
        When notebooks failed: each with its cell, heading and error. They are kept under
        ``out/<engagement's folder>/failed``.
    """
    kernels.warm()
    begun = perf_counter()
    with _written(Path(out)):
        plan = _plan(engagement, quarter, Path(out), Path(notebooks))
        with _cleared_away(plan.building):
            seconds = _run(plan, progress)
            tables = _tables(plan)
            _pages(plan, _answers(plan), tables, appendix or {})
            record = _record(plan, seconds, tables, inputs or {})
            _write_json(plan.building / MANIFEST, record | {"seconds": _tenths(perf_counter() - begun)})
            _put(plan.building, plan.final)
    _forget_failures(plan)
    return plan.final


def notebooks_of(folder: Path, engagement: Path, chapters: Sequence[str] = ()) -> list[Path]:
    """List the chapters in order: numbered notebooks of the kit's and beside the engagement.

    ``chapters`` names those of the kit's that are wanted; without it, all that are no case studies.

    Raises
    ------
    PackError
        When there is none, two have one name, or one that is wanted is not there.
    """
    kits = {each.stem: each.resolve() for each in folder.glob("[0-9]*.ipynb")}
    if missing := [each for each in chapters if each not in kits]:
        raise PackError(f"There is no chapter {missing[0]} in {folder}.", near(missing[0], kits), "Correct chapters.")
    wanted = chapters or [each for each in kits if "_case_" not in each]
    found = {kits[each] for each in wanted} | {each.resolve() for each in engagement.glob("[0-9]*.ipynb")}
    ordered = sorted(found, key=lambda each: (int(re.match(r"\d+", each.name)[0]), each.name))
    names = [each.stem for each in ordered]
    twice = next((each for each in names if names.count(each) > 1), None)
    if not ordered or twice:
        raise PackError(
            f"Two chapters are called {twice}." if twice else f"There is no chapter in {folder}.",
            do="Chapters are notebooks such as 2_penetration.ipynb, each with a name of its own.",
        )
    return ordered


def _plan(engagement: Subject, quarter: str, out: Path, notebooks: Path) -> Plan:
    """Check all that can be checked before a notebook runs."""
    when = engagement.calendar.parse(quarter)
    final = _place(out.resolve() / engagement.folder.resolve().name / when.label, engagement.client)
    building = final.with_name(f".{when.label}.{secrets.token_hex(4)}")
    found = notebooks_of(notebooks, engagement.folder, engagement.chapters)
    with _without_address_grammar():
        from kpilib.pack import running

    jobs = []
    for each in found:
        handed = building / HANDED / each.stem
        told = _told(engagement, when.label, handed, each.parent)
        job = running.Job(each, told, building / "notebooks" / each.name)
        jobs.append(running.prepare(job))
    return Plan(engagement, when, final, building, tuple(jobs))


def _place(final: Path, client: str) -> Path:
    """Refuse to replace what is not a pack, or to stand among those of another client."""
    taken = final.exists() and not (final / MANIFEST).is_file()
    if taken and not (final.is_dir() and not any(final.iterdir())):
        raise PackError(
            f"{final} is there already and is no pack.", do="Move it away, or publish elsewhere with --out."
        )
    for each in sorted(final.parent.glob(f"[!.]*/{MANIFEST}")):
        if (other := manifest.client_of(each)) not in (None, client):
            raise PackError(
                f"{final.parent} has the packs of another client.",
                f"{each.parent.name} is of {other!r}; this engagement is of {client!r}.",
                "Publish elsewhere with --out; where only the name has changed, delete the packs of the former.",
            )
    return final


def _told(engagement: Subject, quarter: str, tables: Path, folder: Path) -> dict[str, str]:
    """Return the parameters, with paths as seen from the notebook's folder."""
    paths = {"engagement": engagement.path.resolve(), "tables": tables}
    return {"quarter": quarter, **{key: _seen_from(folder, each) for key, each in paths.items()}}


def _seen_from(folder: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def _run(plan: Plan, progress: bool) -> list[float]:
    """Run the notebooks; failed ones are kept aside."""
    from kpilib.pack import running

    for each in plan.jobs:
        each.executed.parent.mkdir(parents=True, exist_ok=True)
        (plan.building / HANDED / each.notebook.stem).mkdir(parents=True)
    try:
        return running.run(plan.jobs, progress=progress)
    except running.NotebookError as error:
        raise _kept(plan, error) from error


def _kept(plan: Plan, error: NotebookError) -> NotebookError:
    """Move failed notebooks aside and say where they are."""
    aside = plan.final.parent / "failed"
    aside.mkdir(exist_ok=True)
    kept = []
    for each in plan.jobs:
        if each.notebook.name in {failure.notebook for failure in error.failures}:
            kept.append(aside / f"{plan.quarter.label}_{each.notebook.stem}.failed.ipynb")
            each.executed.replace(kept[-1])
    where = "\n".join(f"  - {each}" for each in kept)
    return type(error)(error.failures, f"Nothing was published. Kept as far as they ran:\n{where}")


def _forget_failures(plan: Plan) -> None:
    """Remove the failed notebooks of a quarter that is published now."""
    aside = plan.final.parent / "failed"
    for each in aside.glob(f"{plan.quarter.label}_*.failed.ipynb"):
        each.unlink(missing_ok=True)
    with suppress(OSError):  # others are still there, or none ever were
        aside.rmdir()


def _tables(plan: Plan) -> list[Table]:
    """Bring together the tables that the notebooks handed over; name each file once."""
    from kpilib.pack.pages import Table

    folder, savers = plan.building / "tables", {}
    folder.mkdir()
    for handed in sorted((plan.building / HANDED).glob("*/*")):
        if handed.name == ANSWER:
            continue
        saver = savers.setdefault(handed.name, handed.parent.name)
        if saver != handed.parent.name:
            raise PackError(
                f"{saver} and {handed.parent.name} both save a table {handed.name}.",
                do="Give one of them another name.",
            )
        handed.rename(folder / handed.name)
    found = sorted(folder.glob("*.csv"))
    return [Table(each.name, savers[each.name], *_size(each)) for each in found]


def _size(table: Path) -> tuple[int, int]:
    """Count a table's rows and columns."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        columns = len(next(rows, ()))
        return sum(1 for _ in rows), columns


def _answers(plan: Plan) -> dict[str, dict[str, Any]]:
    """Collect the chapters' answers, and keep them as ``answer.json``."""
    folders = {each.notebook.stem: plan.building / HANDED / each.notebook.stem for each in plan.jobs}
    answers = {name: given for name, each in folders.items() if (given := read_answer(each))}
    leading = [name for name, each in answers.items() if each["lead"]]
    if len(leading) > 1:
        raise PackError(f"{' and '.join(leading)} both lead.", do="Give lead=True to one chapter's answer only.")
    _write_json(plan.building / ANSWER, answers)
    shutil.rmtree(plan.building / HANDED)
    return answers


def _pages(plan: Plan, answers: Mapping[str, Any], tables: Sequence[Table], appendix: Mapping[str, str]) -> None:
    """Render the chapters and the answer page."""
    from kpilib.pack import pages

    chapters = [pages.chapter(_executed(plan, each), each.notebook.stem, each.notebook.parent) for each in plan.jobs]
    chapters += [pages.made(body, name, executed=False) for name, body in appendix.items()]
    day = plan.quarter.last_day
    cover = {
        "client": plan.engagement.client,
        "quarter": plan.quarter.label,
        "as_of": f"{day.day} {day:%B %Y}",
        "kit": manifest.kit(),
    }
    pages.write(plan.building, cover, chapters, answers, tables)


def _executed(plan: Plan, job: Job) -> Any:
    """Return an executed notebook, saved again as told where its tables are in the end."""
    import nbformat

    from kpilib.pack import running

    folder = job.notebook.parent
    values = _told(plan.engagement, plan.quarter.label, plan.final / "tables", folder)
    text = job.executed.read_text(encoding="utf-8").replace(job.values["tables"], values["tables"])
    notebook = running.told(nbformat.reads(text, as_version=4), values, job.notebook.name)
    nbformat.write(notebook, job.executed)
    return notebook


def _record(plan: Plan, seconds: Sequence[float], tables: Sequence[Table], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest, but for the seconds it all took."""
    folder = plan.engagement.folder.resolve()
    runs = zip(plan.jobs, seconds, strict=True)
    return {
        "schema": manifest.SCHEMA,
        "kit": manifest.kit(),
        "client": plan.engagement.client,
        "parameters": {"engagement": f"{folder.name}/{plan.engagement.path.name}", "quarter": plan.quarter.label},
        "inputs": manifest.portable(inputs, folder),
        "notebooks": {
            job.notebook.name: {"sha256": manifest.fingerprint(job.notebook), "seconds": _tenths(spent)}
            for job, spent in runs
        },
        "tables": {
            each.file: {"rows": each.rows, "sha256": manifest.fingerprint(plan.building / "tables" / each.file)}
            for each in tables
        },
        "engines": manifest.engines(),
        "seeds": None,
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _put(building: Path, final: Path) -> None:
    """Put a finished pack in the place of an earlier one, between two renames."""
    for turn in range(RIVALS):
        earlier = building.with_name(f"{building.name}.{turn}")
        with suppress(FileNotFoundError):
            final.rename(earlier)
        try:
            building.rename(final)
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                if earlier.exists():
                    earlier.rename(final)
                raise
        shutil.rmtree(earlier, ignore_errors=True)
        if not building.exists():
            return
    raise PackError(f"{final} is being published by others without end.", do="Try again later.")


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Tell a place that may not be written to, or is full, from a fault of the kit."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> PackError:
    return PackError(
        f"The pack cannot be written in {folder}.", f"{error.strerror or error}.", "Publish elsewhere with --out."
    )


@contextmanager
def _cleared_away(building: Path) -> Iterator[None]:
    """Leave nothing of a pack that did not come to be."""
    try:
        try:
            building.mkdir(parents=True)
        except OSError as error:
            raise _unwritable(building.parent, error) from error
        yield
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _without_address_grammar() -> Iterator[None]:
    """Let papermill be imported without a grammar that takes a second and serves nobody here.

    jsonschema builds it, where JupyterLab brought it along, to check international addresses.
    """
    name = "rfc3987_syntax"
    absent = name not in sys.modules
    if absent:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules[name]


def _tenths(seconds: float) -> float:
    return round(seconds, 1)


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
