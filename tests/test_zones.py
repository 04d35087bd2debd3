"""Timestamps with a time zone: a line near midnight falls on the day that the client's clock said."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest
from clients import CATALOGUE, HEAD, engagement

from kpilib.engagement import load
from kpilib.errors import SourceError
from kpilib.facts import portfolio, sources

INSTANTS = ["2025-06-15 12:00", "2025-09-30 22:30"]  # the second is 1 October in Berlin
SHAPE = '[[evidence]]\nkind = "sales"\nsource = "{source}"\ncolumns = {{ date = "{date}" }}\n'
FILE = '[sources.lines]\npath = "lines.parquet"\n{zone}\n'
BERLIN = 'timezone = "Europe/Berlin"'


def client(folder, query: str = "", zone: str = BERLIN, of_query: str = "", date: str = "ts"):
    text = HEAD + FILE.format(zone=zone)
    text += f'[sources.asked]\nsql = "{query}"\n{of_query}\n' if query else ""
    path = engagement(folder, text + SHAPE.format(source="asked" if query else "lines", date=date) + CATALOGUE)
    frame = pd.DataFrame({"account_id": ["A", "A"], "product_id": ["x", "y"], "revenue": [1.0, 5.0]})
    frame.assign(ts=pd.to_datetime(INSTANTS).tz_localize("UTC")).to_parquet(folder / "lines.parquet")
    return path


def last_day(path) -> str:
    return str(portfolio.load(load(path)).db.execute("select max(day) from sales").fetchone()[0])


@pytest.mark.parametrize(
    ("query", "date"),
    [
        ("", "ts"),
        ("select * from lines", "ts"),
        ("select *, ts::date as d from lines", "d"),
        ("select *, strftime(ts, '%Y-%m-%d') as d from lines", "d"),
        ("select * from lines where ts >= '2025-10-01'", "ts"),
    ],
)
def test_a_query_reads_instants_in_the_local_time_of_their_source(tmp_path, query, date):
    assert last_day(client(tmp_path, query, date=date)) == "2025-10-01"


def test_a_query_with_a_zone_of_its_own_reads_instants_as_they_are(tmp_path):
    raw = "select *, (ts at time zone 'Asia/Tokyo')::date as d from lines where ts = '2025-09-30 22:30:00+00'"
    assert last_day(client(tmp_path / "cast", raw, of_query=BERLIN, date="d")) == "2025-10-01"
    new_york = 'timezone = "America/New_York"'
    assert last_day(client(tmp_path / "own", "select * from lines", of_query=new_york)) == "2025-09-30"
    assert last_day(client(tmp_path / "none", "select * from lines", zone="")) == "2025-09-30"


def test_a_query_that_converts_once_more_is_refused(tmp_path):
    path = client(tmp_path, "select *, (ts at time zone 'Europe/Berlin')::date as d from lines", date="d")
    with pytest.raises(
        SourceError, match=r"converts time zones itself.*'lines', whose timezone.*sources.asked.timezone"
    ):
        portfolio.load(load(path))


def test_a_time_zone_that_is_none_is_refused_with_what_may_be_meant(tmp_path):
    with pytest.raises(SourceError, match=r"sources.lines.timezone: 'Europe/Berlim'.*Did you mean 'Europe/Berlin'"):
        portfolio.load(load(client(tmp_path, zone='timezone = "Europe/Berlim"')))


def test_the_day_of_an_instant_does_not_hang_on_the_machine(tmp_path):
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'Asia/Tokyo'")
        sources.read(db, load(client(tmp_path, "select *, ts::date as d from lines", zone="")))
        assert str(db.execute('select max(d) from "source asked"').fetchone()[0]) == "2025-09-30"
