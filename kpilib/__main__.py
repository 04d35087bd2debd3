"""The command line: ``kpi check | measure | trace | report | issue | diff | actions | cards | card``.

Exit codes: 0 fine; 1 the data or the engagement are at fault; 2 usage; 3 a fault of the kit itself.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kpilib.errors import KpiError

if TYPE_CHECKING:
    from kpilib.book import Book

SCHEMA = 1
MACHINE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE}


class Said(click.ParamType):
    """A text that says something: a variable that a script left unset is no answer, and not the default either."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take the text as it is.

        Raises
        ------
        click.BadParameter
            It is blank.
        """
        if not value.strip():
            self.fail("it is blank. Say which, or leave the option out.", param, ctx)
        return value


ENGAGEMENT = click.argument("engagement", type=click.Path(path_type=Path))
QUARTER = click.option(
    "--quarter", type=Said(), metavar="Q", help="As in 2017Q4; without it the last complete quarter."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kpilib", prog_name="kpi")
def kpi() -> None:
    """Account penetration from a client's own files."""


@kpi.command()
@ENGAGEMENT
@click.option("--list", "listing", type=click.Path(path_type=Path), help="Write every row set aside as CSV.")
def check(engagement: Path, listing: Path | None) -> None:
    """Say what was read, what was set aside and why."""
    from kpilib import ledger

    book = _open(engagement)
    click.echo(ledger.text(book))
    if listing:
        ledger.write_set_aside(book, listing)
        click.echo(f"\nEvery row set aside: {listing}")
    ledger.refuse_too_much(book)


@kpi.command()
@ENGAGEMENT
@QUARTER
@click.option("--lookback", type=int, metavar="MONTHS", help="In place of the engagement's own.")
@click.option("--base", type=click.Choice(["all", "active", "eligible"]), help="Which accounts are counted.")
@click.option("--by", type=Said(), metavar="COLUMN", help="An account attribute to group by.")
@click.option("--against", type=Said(), metavar="Q|plan", help="Measure the change on a quarter, or against plan.")
@click.option("--format", "shape", type=click.Choice(["table", "json", "csv"]), default="table")
def measure(
    engagement: Path,
    quarter: str | None,
    lookback: int | None,
    base: str | None,
    by: str | None,
    against: str | None,
    shape: str,
) -> None:
    """Print the headline figures, for people and for pipelines."""
    from kpilib import printed

    book = _open(engagement, lookback, base)
    _warn(book)
    found = measured(book, quarter, by, against)
    if shape == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif shape == "csv":
        click.echo(printed.leaves(found), nl=False)
    else:
        click.echo(printed.headline(found, book.engagement.client))


@kpi.command()
@ENGAGEMENT
@click.option("--account", type=Said(), required=True, metavar="A", help="Its id, as the client writes it.")
@QUARTER
def trace(engagement: Path, account: str, quarter: str | None) -> None:
    """Explain one account, product by product, down to the client's rows."""
    from kpilib import printed
    from kpilib import trace as traced

    book = _open(engagement)
    at = book.quarter(quarter or book.default_quarter())
    book.require_snapshot(at.label)
    rows = traced.account(book, account, at.label)
    states = rows["state"].value_counts()
    possible, held = len(rows) - int(states.get("not possible", 0)), int(states.get("held", 0))
    share = f" = {held / possible:.1%}" if possible else ", so no degree"
    click.echo(f"{book.engagement.client}: account {printed.plain(account)} as of {at.last_day}")
    click.echo(f"{held} held of {possible} possible{share}; look-back {book.lookback_months} months")
    if reason := traced.not_counted(book, account, at.label):
        click.echo(f"not counted: {reason}")
    click.echo()
    click.echo(printed.table(rows.drop(columns="family")))


@kpi.command()
@ENGAGEMENT
@QUARTER
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder that receives ENGAGEMENT/QUARTER/.",
)
def report(engagement: Path, quarter: str | None, out: Path) -> None:
    """Publish the quarterly pack."""
    from kpilib import appendix, pack
    from kpilib.measures import degree

    book = _open(engagement)
    at = book.quarter(quarter or book.default_quarter()).label
    degree.of(book, at)  # what cannot be measured is said before any notebook runs
    _warn(book)
    pages = {"cards": appendix.page(book, at)}
    place = pack.publish(book.engagement, at, out, _notebooks(), ledger_of(book), appendix=pages)
    click.echo(f"Published {place / 'index.html'}")


@kpi.command()
@ENGAGEMENT
@click.option("--quarter", type=Said(), metavar="Q", required=True, help="As in 2017Q4; its pack must be published.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder that holds ENGAGEMENT/QUARTER/.",
)
def issue(engagement: Path, quarter: str, out: Path) -> None:
    """Freeze the published pack as the quarter's record."""
    from kpilib import issued

    book = _open(engagement)
    record = issued.freeze(book, quarter, out)
    before = issued.unchanged_since(book.engagement, record)
    same = f"\nData, engagement and kit are those of issue {before.number}: nothing changed since." if before else ""
    click.echo(f"Issue {record.number} of {record.quarter}: {record.folder}{same}")


@kpi.command()
@ENGAGEMENT
@click.option("--quarter", type=Said(), metavar="Q", required=True, help="As in 2017Q4; it must have been issued.")
@click.option("--issue", "number", type=int, metavar="N", help="Without it the last issue.")
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table")
def diff(engagement: Path, quarter: str, number: int | None, shape: str) -> None:
    """Explain a quarter's figures as issued against today's."""
    from kpilib import issued, printed

    found = issued.diff(_open(engagement), quarter, number)
    if shape == "json":
        click.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(printed.restatement(found))


@kpi.command()
@ENGAGEMENT
@QUARTER
@click.option("--per-owner", type=click.IntRange(1), default=25, show_default=True, metavar="N", help="Most calls.")
@click.option("--per-account", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Most calls.")
@click.option("--per-product", type=click.IntRange(1), metavar="N", help="Most calls; without it no limit.")
@click.option("--hold-out", type=float, default=0.2, show_default=True, metavar="SHARE", help="Customers left alone.")
@click.option("--seed", default="", metavar="TEXT", help="Of the draw; the same text draws the same customers.")
@click.option("--by-owner", is_flag=True, help="Write a workbook for every owner as well.")
@click.option("--target", type=float, metavar="SHARE", help="Say what this degree takes; issue nothing.")
@click.option("--revenue-target", type=float, metavar="AMOUNT", help="Say what this revenue of a quarter takes.")
@click.option("--follow-up", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help="A filled workbook.")
@click.option("--afresh", is_flag=True, help="With --follow-up: forget what earlier workbooks said of the list.")
def actions(
    engagement: Path,
    quarter: str | None,
    per_owner: int,
    per_account: int,
    per_product: int | None,
    hold_out: float,
    seed: str,
    by_owner: bool,
    target: float | None,
    revenue_target: float | None,
    follow_up: tuple[Path, ...],
    afresh: bool,
) -> None:
    """Issue the call list of a quarter, say what a target takes, or tell what came of the calls."""
    from kpilib import calls
    from kpilib.actions import record
    from kpilib.actions.chosen import Limits

    if sum([bool(follow_up), target is not None, revenue_target is not None]) > 1:
        raise click.UsageError("--target and --revenue-target plan ahead, --follow-up looks back: give one of them.")
    if afresh and not follow_up:
        raise click.UsageError("--afresh goes with --follow-up: give the workbooks to start again with.")
    book = _open(engagement)
    if follow_up:
        click.echo(calls.follow_up(book, quarter, follow_up, afresh))
        return
    at, limits = book.quarter(quarter or book.default_quarter()).label, Limits(per_owner, per_account, per_product)
    if target is not None:
        click.echo(calls.planned(book, at, target, limits))
        return
    if revenue_target is not None:
        click.echo(calls.earned(book, at, Decimal(str(revenue_target)), limits))
        return
    drawn, before = calls.draw(book, at, limits, hold_out, seed)
    click.echo(before)
    record.keep(book, drawn, by_owner)
    click.echo(f"\nWritten: {drawn.folder / 'calls.xlsx'}")


@kpi.command()
def cards() -> None:
    """List the KPIs that have a card."""
    from kpilib import kpis, printed

    click.echo(printed.table(kpis.cards()[["id", "unit", "says"]]))


@kpi.command()
@click.argument("kpi_id", metavar="ID")
@click.argument("engagement", type=click.Path(path_type=Path), required=False)
@QUARTER
def card(kpi_id: str, engagement: Path | None, quarter: str | None) -> None:
    """Explain a KPI, with a client's own figures where an engagement is given."""
    from kpilib import appendix, kpis

    kpis.card(kpi_id)  # an unknown one is said before any file is read
    if quarter and engagement is None:
        raise click.UsageError("--quarter asks for a client's figures: give the engagement as well.")
    click.echo(appendix.text(kpi_id, _open(engagement) if engagement else None, quarter))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    try:
        kpi.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except KpiError as error:
        click.echo(f"kpi: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        if error.errno not in MACHINE:
            _tell_fault()
        _silence()
        click.echo(f"kpi: {_of_the_machine(error)}", err=True)
        sys.exit(1)
    except Exception as error:
        if str(error) == "Query interrupted":  # how DuckDB says that somebody pressed Ctrl-C
            sys.exit(130)
        _tell_fault(engine=type(error).__module__.endswith("duckdb"))


def _tell_fault(engine: bool = False) -> NoReturn:
    click.echo(traceback.format_exc(), err=True)
    if engine:
        click.echo("kpi: delete the folder .kpi beside the engagement first: a kept table may be damaged.", err=True)
    click.echo(
        "kpi: this is a fault of the kit, not of your data. Report it with the lines above and "
        "the output of 'kpi --version'.",
        err=True,
    )
    sys.exit(3)


def _of_the_machine(error: OSError) -> str:
    """Say what the machine refuses, of which file, and what to do."""
    where = f"{error.filename} cannot be read or written" if error.filename else "What is printed cannot be written"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    mend = "Make room there, or write elsewhere." if full else "Ask for the right to, or use another place."
    return f"{where}. {error.strerror}. {mend}"


def _silence() -> None:
    """Leave what could not be printed: tried once more on leaving, it would end in a second error."""
    with suppress(OSError, ValueError), Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), sys.__stdout__.fileno())


def measured(book: Book, quarter: str | None, by: str | None = None, against: str | None = None) -> dict[str, Any]:
    """The object that ``kpi measure --format json`` prints; ``kpilib/README.md`` describes its fields."""
    from kpilib.measures import headline

    found = headline.headline(book, quarter, by, against).as_dict()
    ledger = book.ledger()
    groups = found.pop("groups", None)
    for key, action in (("set_aside", "set aside"), ("flagged", "flagged")):
        rows = ledger[ledger["action"] == action].groupby("rule", sort=True)[["rows", "hits"]].sum()
        found[key] = {rule: int(n) for rule, n in rows["rows"].items()}
        if key == "set_aside":
            found["set_aside_hits"] = {rule: int(n) for rule, n in rows["hits"].items()}
    return found | {"schema": SCHEMA} | ({} if groups is None else {"groups": groups})


def ledger_of(book: Book) -> dict[str, Any]:
    """What the manifest says of the facts: rows and revenue by table, and what the rules found."""
    totals = book.totals().astype(object).where(lambda cell: cell.notna(), None)
    money = [name for name in totals if name.startswith(("revenue", "gross"))]
    totals[money] = totals[money].map(lambda amount: None if amount is None else str(amount))
    return {
        "fingerprint": book.folder.name,
        "sources": book.table("readings").to_dict("records"),
        "tables": totals.to_dict("records"),
        "rules": book.ledger()[["table", "rule", "action", "rows", "hits"]].to_dict("records"),
    }


def _warn(book: Book) -> None:
    """Say beside any figure that the data cannot carry it; on stderr, so that what is printed can still be read in."""
    from kpilib import ledger

    if fault := ledger.too_much(book):
        click.echo(f"Warning: the data cannot carry these figures. {fault}", err=True)


def _notebooks() -> Path:
    """The kit's chapters: beside the library, or where the command is run."""
    beside = Path(__file__).resolve().parent.parent / "notebooks"
    return beside if beside.is_dir() else Path("notebooks")


def _open(path: Path, lookback: int | None = None, base: str | None = None) -> Book:
    from kpilib import engagement, kept

    return kept.open_book(engagement.load(path), lookback, base)


if __name__ == "__main__":
    main()
