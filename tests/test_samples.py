"""The invented firms: the files are what the seed makes, and they say what was published."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from kpilib import kept, penetration
from kpilib.samples import folders, software, technology

DATA = Path(__file__).parent.parent / "data"
FIRMS = ("technology_firm", "technology_firm_twin", "software_firm", "software_firm_twin")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("samples"))


def test_the_files_that_ship_are_those_the_seed_makes(written):
    assert sorted(each.name for each in written) == sorted(FIRMS)
    for folder in written:
        files = sorted(each.name for each in folder.iterdir())
        assert files == sorted(each.name for each in (DATA / folder.name).iterdir() if each.is_file())
        for name in files:
            assert (folder / name).read_bytes() == (DATA / folder.name / name).read_bytes(), name


@pytest.mark.parametrize("name", FIRMS[:2])
def test_the_technology_firms_degree_is_as_published(name):
    book = kept.open_book(DATA / name)
    shares = [penetration.headline(book, each).degree.mean for each in ("2023Q4", "2024Q4")]
    assert [f"{each:.1%}" for each in shares] == ["45.0%", "75.0%"]


@pytest.mark.parametrize("name", FIRMS[2:])
def test_the_software_firms_index_is_as_published(name):
    book = kept.open_book(DATA / name)
    assert [penetration.index(book, each).value for each in ("2023Q4", "2024Q4")] == [0.12, 0.28]


def billed(name: str) -> pd.DataFrame:
    """Every invoice of a firm, read by the plainest pandas."""
    folder = DATA / name
    if (folder / "invoices.csv").exists():
        lines = pd.read_csv(folder / "invoices.csv", parse_dates=["date"])
        return lines.assign(year=lines["date"].dt.year)
    lines = pd.read_csv(folder / "subscriptions.csv", parse_dates=["start", "end"])
    months = pd.DataFrame({"date": pd.date_range("2022-01-01", "2024-12-01", freq="MS")})
    lines = lines.merge(months, how="cross")
    lines = lines[(lines["date"] >= lines["start"]) & (lines["end"].isna() | (lines["date"] < lines["end"]))]
    return lines.assign(year=lines["date"].dt.year, amount=lines["monthly_fee"])


@pytest.mark.parametrize(("name", "growth"), list(zip(FIRMS, (25.0, 25.0, 15.0, 15.0), strict=True)))
def test_existing_customers_revenue_grew_as_published(name, growth):
    years = billed(name).pivot_table(index="customer", columns="year", values="amount", aggfunc="sum").fillna(0)
    cohort = years[years[2023] > 0]
    assert f"{cohort[2024].sum() / cohort[2023].sum() - 1:.1%}" == f"{growth}%"


@pytest.mark.parametrize(
    ("name", "truth", "near"),
    [
        ("technology_firm", technology.invent().truth.effect, 0.03),
        ("technology_firm_twin", 0.0, 0.03),
        ("software_firm", software.invent()[0].truth.effect, 0.015),
        ("software_firm_twin", 0.0, 0.015),
    ],
)
def test_those_held_out_tell_the_firms_from_their_twins(name, truth, near):
    """Treated less held out, from subscriptions and invoices as they stand, comes near the effect that was built in."""
    changes = []
    for day in (date(2023, 12, 31), date(2024, 12, 31)):
        changes.append(_degrees(name, day))
    moved = (changes[1] - changes[0]).dropna()
    enrolled = pd.read_csv(DATA / name / "programme.csv").set_index("customer")
    moved = moved[moved.index.isin(enrolled.index)]
    arms = moved.groupby(enrolled["hold_out"].reindex(moved.index)).mean()
    assert arms["no"] - arms["yes"] == pytest.approx(truth, abs=near)


def _degrees(name: str, day: date) -> pd.Series:
    at = pd.Timestamp(day)
    accounts = pd.read_csv(DATA / name / "customers.csv", parse_dates=["joined", "left"]).set_index("customer")
    accounts = accounts[(accounts["joined"] <= at) & (accounts["left"].isna() | (at < accounts["left"]))]
    products = pd.read_csv(DATA / name / "products.csv", parse_dates=["launched"])
    offered = products["launched"].isna() | (products["launched"] <= at)
    reserved = ["Partner Portal", "Forecasting", "Recruiting", "Planning"]
    limited = offered & products["product"].isin(reserved)
    possible = offered.sum() - limited.sum() * (accounts["size"] == "small")
    lines = billed(name)
    lines = lines[(lines["date"] <= at) & (lines["date"] > at - pd.DateOffset(months=3))]
    held = lines[lines["customer"].isin(accounts.index)].groupby("customer")["product"].nunique()
    return held.reindex(accounts.index).fillna(0) / possible
