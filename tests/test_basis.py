"""Two books that count otherwise are refused, by name; what a later delivery adds is not."""

from __future__ import annotations

import pytest
from clients import CATALOGUE, HEAD, HEADER, SALES, engagement

from kpilib import comparison, kept
from kpilib.errors import DataError

QUARTERS = ("2025Q1", "2025Q2")
LINES = "".join(f"A{n},{product},2025-0{month}-10,1,5\n" for n in range(12) for product in "xy" for month in (1, 2, 5))
ACCOUNTS = """[accounts]
source = "accounts"
[sources.accounts]
path = "accounts.csv"
"""
OPEN = "size,x,y,z\nlarge,1,1,1\nsmall,1,1,1\n"
RULE = """[[eligibility]]
products = ["y"]
where = {{ size = "{size}" }}
"""
SHEET = """[eligibility_sheet]
source = "sheet"
attribute = "size"
[sources.sheet]
path = "sheet.csv"
"""


def opened(folder, options="", more="", lines=LINES, catalogue=CATALOGUE, sheet=OPEN, head=HEAD):
    """Twelve customers who have x and y; large and small in turn."""
    told = "account_id,size\n" + "".join(f"A{n},{'large' if n % 2 else 'small'}\n" for n in range(12))
    text = head + SALES.format(options="") + options + catalogue + ACCOUNTS + more
    return kept.open_book(
        engagement(
            folder,
            text,
            lines_csv=HEADER + lines,
            accounts_csv=told,
            sheet_csv=sheet,
            blocked_csv="account_id,product_id\nA1,z\n",
        )
    )


BLOCKED = """[blocked]
source = "blocked"
[sources.blocked]
path = "blocked.csv"
"""
OLDER = """[catalogue]
rows = [{ product_id = "x" }, { product_id = "y" }, { product_id = "z", launched = "2024-06-01" }]
"""
OTHERWISE = {
    "eligibility of: y": {"more": RULE.format(size="large")},
    "eligibility of: the eligibility sheet": {"more": SHEET},
    "another catalogue: z": {"catalogue": '[catalogue]\nproducts = ["x", "y"]\n'},
    "another catalogue: z, launched": {"catalogue": OLDER},
    "other evidence: sales (lines)": {"options": 'duplicates = "set aside"\nduplicate_key = ["account_id", "date"]\n'},
    "given one time only: blocked": {"more": BLOCKED},
    "other look-back of: x": {"head": HEAD + "lookback_by_product = { x = 6 }\n"},
    "free items count: ": {"head": HEAD + "free_items_count = true\n"},
}


@pytest.fixture
def plain(tmp_path):
    return opened(tmp_path / "plain")


def refused(after, before):
    with pytest.raises(DataError, match="do not count alike") as reason:
        comparison.before_after(after, *QUARTERS, before=before)
    return str(reason.value)


@pytest.mark.parametrize("words", OTHERWISE)
def test_what_counts_otherwise_is_refused_by_name(tmp_path, plain, words):
    other = opened(tmp_path / "other", **OTHERWISE[words])
    for after, before in ((plain, other), (other, plain)):
        assert words.split(", ")[0] in refused(after, before)


def test_another_sheet_of_eligibility_is_told_from_the_same(tmp_path):
    one = opened(tmp_path / "one", more=SHEET)
    other = opened(tmp_path / "other", more=SHEET, sheet="size,x,y,z\nlarge,1,1,1\nsmall,1,0,1\n")
    assert "other eligibility of: the eligibility sheet" in refused(one, other)
    again = opened(tmp_path / "again", more=SHEET)
    assert len(comparison.before_after(one, *QUARTERS, before=again)) == 3


def test_the_earlier_figure_is_not_of_another_definition(tmp_path, plain):
    """The half that may not have y would have been counted as half open: another figure, of the same rows."""
    narrow = opened(tmp_path / "narrow", more=RULE.format(size="large"))
    degrees = [comparison.before_after(each, *QUARTERS).loc[0, "before"] for each in (plain, narrow)]
    assert degrees[0] != degrees[1]
    assert "eligibility of: y" in refused(plain, narrow)


def test_a_later_delivery_of_the_same_client_counts_alike(tmp_path, plain):
    later = opened(
        tmp_path / "later",
        lines=LINES + "A0,z,2025-06-01,1,5\n",
        catalogue=OLDER.replace(
            'launched = "2024-06-01" }', '}, { product_id = "w", launched = "2026-02-01" }'
        ).replace('"z", }', '"z" }'),
    )
    assert len(comparison.before_after(later, *QUARTERS, before=plain)) == 3
