"""Positions equal the plainest pandas on random small clients, whatever the engine does to be fast."""

from __future__ import annotations

import dataclasses
import tempfile
from decimal import Decimal
from pathlib import Path

import ibis
import plainest
import pyarrow.parquet as pq
import pytest
from clients import sales
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpilib import positions, workbench
from kpilib.engagement import load
from kpilib.errors import DataError
from kpilib.facts import portfolio

QUIETLY = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def computed(client, folder, threads=None) -> list[dict]:
    """The engine's positions, its bits read one by one."""
    con = ibis.duckdb.connect(**({"threads": threads} if threads else {}))
    try:
        path = Path(tempfile.mkdtemp(dir=folder)) / "positions"
        positions.write(plainest.portfolio(client, con), path)
    finally:
        con.disconnect()
    schemas = [pq.read_schema(file) for file in path.iterdir()]
    assert all(each == schemas[0] for each in schemas)
    assert {str(each.type) for each in schemas[0] if each.name.startswith(("possible", "proven"))} == {"int64"}
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        for name in ("possible", "proven"):
            words = [row.pop(f"{name}_{n}") for n in range(-(-len(client.products) // 63))]
            row[name] = {63 * n + bit for n, word in enumerate(words) for bit in range(63) if word >> bit & 1}
    return sorted(rows, key=lambda row: (row["quarter"], row["account_id"]))


def expected(client) -> list[dict]:
    return sorted(plainest.positions(client), key=lambda row: (row["quarter"], row["account_id"]))


@QUIETLY
@given(seed=st.integers(0, 10**9))
def test_positions_equal_the_plainest_pandas(tmp_path, seed):
    client = plainest.client(seed)
    assert computed(client, tmp_path) == expected(client)


@pytest.mark.parametrize("seed", range(3))
def test_positions_of_two_hundred_products_equal_the_plainest_pandas(tmp_path, seed):
    client = plainest.client(seed, products=200, accounts=5, lines=300)
    assert computed(client, tmp_path) == expected(client)


@pytest.mark.parametrize("seed", range(3))
def test_positions_are_the_same_however_few_quarters_are_grouped_at_a_time(tmp_path, monkeypatch, seed):
    client = plainest.client(seed)
    monkeypatch.setattr(workbench, "GROUPS_IN_MEMORY", 10_000)
    assert computed(client, tmp_path) == expected(client)


@pytest.mark.parametrize("threads", [1, 3, 64])
def test_positions_are_the_same_on_any_number_of_threads(tmp_path, monkeypatch, threads):
    client = plainest.client(5, accounts=40, lines=2000)
    monkeypatch.setattr(workbench, "ACCOUNTS_AT_LEAST", 7)
    assert computed(client, tmp_path, threads) == expected(client)


def test_accounts_that_share_a_key_are_found_by_their_names(tmp_path, monkeypatch):
    client = plainest.client(1)
    monkeypatch.setattr(workbench, "key_of", lambda account_id: account_id.length().cast("uint64"))
    monkeypatch.setattr(positions, "key_of", workbench.key_of)
    assert len(client.accounts) > client.accounts["account_id"].str.len().nunique()
    assert computed(client, tmp_path) == expected(client)


def test_a_new_line_at_the_end_of_a_long_catalogue_is_read_beside_the_quarters_before_it(tmp_path):
    """Words are small numbers until it is launched, and the rule that opens it comes as late."""
    new = """
    [accounts]
    rows = [{ account_id = "A", size = "L" }]
    [catalogue]
    rows = [
    """ + "".join(f'{{ product_id = "P{n}" }},\n' for n in range(31))
    new += """{ product_id = "new", launched = 2025-07-01 }]
    [[eligibility]]
    products = ["new"]
    from = 2025-07-01
    where = { size = "L" }
    """
    facts = portfolio.load(load(sales(tmp_path, "A,P1,2025-11-05,1,5\nA,new,2025-11-05,1,5\n", more=new)))
    positions.write(facts, tmp_path / "positions")
    held = pq.read_table(tmp_path / "positions").to_pandas().set_index("quarter").eval("possible_0 & proven_0")
    assert held.iloc[-1] == 1 << 31 | 1 << 1
    assert positions.open_to_nobody(facts, tmp_path / "positions") == []


@pytest.mark.parametrize("products", [62, 63, 64, 126, 127])
def test_words_change_hands_without_losing_a_product(tmp_path, products):
    client = plainest.client(products, products=products, accounts=3, lines=200)
    assert computed(client, tmp_path) == expected(client)


@QUIETLY
@given(seed=st.integers(0, 10**9))
def test_the_order_of_rows_and_the_names_of_accounts_change_nothing(tmp_path, seed):
    client = plainest.client(seed)
    names = {name: f"renamed {9 - n} '\"" for n, name in enumerate(client.accounts["account_id"])}
    tables = ("accounts", "sales", "invoices", "spans", "snapshots")
    frames = {
        name: frame.sample(frac=1, random_state=seed % 1000).assign(account_id=lambda f: f["account_id"].map(names))
        for name in tables
        if (frame := getattr(client, name)) is not None
    }
    other = computed(dataclasses.replace(client, **frames), tmp_path)
    back = {new: old for old, new in names.items()}
    other = [{**row, "account_id": back[row["account_id"]]} for row in other]
    assert sorted(other, key=lambda row: (row["quarter"], row["account_id"])) == computed(client, tmp_path)


@QUIETLY
@given(seed=st.integers(0, 10**9))
def test_repeating_a_positive_line_changes_revenue_and_nothing_that_is_held_without_returns(tmp_path, seed):
    client = plainest.client(seed)
    if client.sales is None:
        return
    plain = client.sales[[revenue > 0 for revenue in client.sales["revenue"]]].reset_index(drop=True)
    before = computed(dataclasses.replace(client, sales=plain), tmp_path)
    twice = plain.loc[[*plain.index, *plain.index[:5]]].reset_index(drop=True)
    after = computed(dataclasses.replace(client, sales=twice), tmp_path)
    assert [row["proven"] for row in after] == [row["proven"] for row in before]
    extra = sum((row["revenue"] for row in plain[:5].to_dict("records")), Decimal(0))
    total = [sum((row["revenue_quarter"] for row in rows), Decimal(0)) for rows in (before, after)]
    assert 0 <= total[1] - total[0] <= extra  # a quarter whose account is neither on file nor active has no row


def test_the_same_facts_give_the_same_bytes(tmp_path):
    client = plainest.client(7)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        computed(client, tmp_path / name)
    one, two = (
        {file.name: file.read_bytes() for file in (tmp_path / name).rglob("*.parquet")} for name in ("one", "two")
    )
    assert len(one) > 1
    assert one == two


def test_amounts_too_large_to_be_added_up_are_refused_by_name(tmp_path):
    rows = "".join(f"{account},x,2025-01-05,1,60000000000000\n" for account in "ABB")
    facts = portfolio.load(load(sales(tmp_path, rows)))
    with pytest.raises(DataError) as refused:
        positions.write(facts, tmp_path / "positions")
    assert str(refused.value) == (
        "An account's revenue must stay below 100,000,000,000,000. That of 'B' adds up to 120,000,000,000,000, "
        "credits counted as sales. Give amounts in thousands or in millions."
    )


def test_a_run_that_fails_leaves_the_engine_as_it_was(tmp_path):
    rows = "".join(f"{account},x,2025-01-05,1,60000000000000\n" for account in "ABB")
    facts = portfolio.load(load(sales(tmp_path, rows)))
    facts.db.execute("set threads = 3")
    with pytest.raises(DataError):
        positions.write(facts, tmp_path / "positions")
    settings = "select current_setting('threads'), current_setting('perfect_ht_threshold')"
    assert facts.db.execute(settings).fetchone() == (3, 12)
    assert (
        facts.db.execute(
            "select table_name from duckdb_tables() where starts_with(table_name, 'positions_')"
        ).fetchall()
        == []
    )
    assert (
        facts.db.execute("select view_name from duckdb_views() where starts_with(view_name, 'positions_')").fetchall()
        == []
    )
    assert [each.name for each in (tmp_path / "positions").iterdir()] == []
