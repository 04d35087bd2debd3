"""A client the kit was not written for: Northwind, from nothing but an engagement.

The data are not ours to ship. Set NORTHWIND_DIR to a folder with their CSV files; the expected figures come from
plain pandas over the same files, written apart from the kit.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpilib import engagement, kept
from kpilib.measures import headline

FOLDER = os.environ.get("NORTHWIND_DIR")
pytestmark = pytest.mark.skipif(not FOLDER, reason="NORTHWIND_DIR is not set: the Northwind CSV files are not shipped")

ENGAGEMENT = """
client = "Northwind"
currency = "USD"
data_from = 1996-07-04
data_to = 1998-05-06
lookback_months = 24
segment_by = ["Country"]

[sources]
orders.path = "{folder}/orders.csv"
details.path = "{folder}/order_details.csv"
products.path = "{folder}/products.csv"
categories.path = "{folder}/categories.csv"
customers.path = "{folder}/customers.csv"

[sources.lines]
sql = '''
select o.CustomerID, {grain} as product, o.OrderDate, d.Quantity, d._file, d._record,
       cast(d.UnitPrice as decimal(18, 4)) * cast(d.Quantity as integer)
           * (1 - cast(d.Discount as decimal(18, 4))) as net
from details d join orders o using (OrderID) join products p using (ProductID) join categories c using (CategoryID)
'''

[[evidence]]
kind = "sales"
source = "lines"
[evidence.columns]
account_id = "CustomerID"
product_id = "product"
date = "OrderDate"
quantity = "Quantity"
revenue = "net"

[accounts]
source = "customers"
columns = {{ account_id = "CustomerID", name = "CompanyName" }}
attributes = ["Country", "City", "Region"]
complete = true

[catalogue]
source = "{catalogue}"
columns = {{ product_id = "{column}" }}
"""

CATEGORIES = {"grain": "c.CategoryName", "catalogue": "categories", "column": "CategoryName"}
PRODUCTS = {"grain": "p.ProductID", "catalogue": "products", "column": "ProductID"}


def measured(folder: Path, base: str, **grain: str) -> dict:
    path = folder / "engagement.toml"
    path.write_text(ENGAGEMENT.format(folder=FOLDER, **grain), encoding="utf-8")
    book = kept.open_book(engagement.load(path), base=base)
    return headline.headline(book, "1998Q2").as_dict()


@pytest.mark.parametrize(
    ("base", "accounts", "mean", "two_or_more"),
    [("all", 91, 0.82142857, 0.97802198), ("active", 89, 0.83988764, 1.0)],
)
def test_categories_match_the_reference(tmp_path, base, accounts, mean, two_or_more):
    found = measured(tmp_path, base, **CATEGORIES)
    degree = found["account_penetration_degree"]
    assert found["accounts"] == accounts
    assert degree["mean"] == pytest.approx(mean, abs=5e-9)
    assert degree["pooled"] == pytest.approx(mean, abs=5e-9)
    assert found["multi_product_share"]["2"] == pytest.approx(two_or_more, abs=5e-9)
    assert not found["complete"]  # 22 months of data, a look-back of 24


def test_bands_and_attach_rates_match_the_reference(tmp_path):
    found = measured(tmp_path, "all", **CATEGORIES)
    assert list(found["bands"].values()) == [6, 12, 16, 57]
    rates = {"Beverages": 0.91208791, "Produce": 0.69230769, "Seafood": 0.93406593}
    for category, rate in rates.items():
        assert found["attach_rate"][category] == pytest.approx(rate, abs=5e-9)


@pytest.mark.parametrize(("base", "mean"), [("all", 0.24047381), ("active", 0.24587772)])
def test_seventy_seven_products_match_the_reference(tmp_path, base, mean):
    found = measured(tmp_path, base, **PRODUCTS)
    assert found["products"] == 77
    assert found["account_penetration_degree"]["mean"] == pytest.approx(mean, abs=5e-9)


def test_net_revenue_matches_the_published_total(tmp_path):
    found = measured(tmp_path, "all", **CATEGORIES)
    assert found["revenue_window"] == "1265793.0395"
