"""An invented client of three years: who it sells to, what they said, who was offered what, and its plans."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from clients import engagement

PRODUCTS = ("Core", "Care", "Cloud", "Vault", "Relay", "Scan", "Sign", "Flow")
OWNERS = ("A. Berg", "C. Diaz", "E. Fox", "G. Hall", "I. Jung", "K. Lind")
SILENT = "K. Lind"  # never offers anything
FIRST, LAST = date(2023, 1, 1), date(2025, 12, 31)

ENGAGEMENT = """client = "Northgate Software"
currency = "EUR"
data_from = 2023-01-01
data_to = 2025-12-31
segment_by = ["size", "country"]
[sources.subscriptions]
path = "subscriptions.csv"
[[evidence]]
kind = "subscriptions"
source = "subscriptions"
[sources.customers]
path = "customers.csv"
[accounts]
source = "customers"
columns = { name = "name", owner = "owner" }
attributes = ["size", "country"]
[catalogue]
products = ["Core", "Care", "Cloud", "Vault", "Relay", "Scan", "Sign", "Flow"]
"""
TABLES = {
    "opportunities": "",
    "feedback": "scale = [0, 10]\n",
    "interactions": "",
}


def write(folder: Path, seed: int = 7, customers: int = 240, without: tuple[str, ...] = (), more: str = "") -> Path:
    """Write the client; ``without`` leaves tables out, ``more`` is added to its engagement."""
    random = np.random.default_rng(seed)
    who = _customers(random, customers)
    held = _subscriptions(random, who)
    files = {"customers": who, "subscriptions": held}
    files |= {"opportunities": _opportunities(random, who, held)}
    files |= {"feedback": _feedback(random, who, held), "interactions": _interactions(random, who)}
    text = ENGAGEMENT
    for name, keys in TABLES.items():
        if name not in without:
            text += f'[sources.{name}_file]\npath = "{name}.csv"\n[{name}]\nsource = "{name}_file"\n{keys}'
    csv = {f"{name}_csv": frame.to_csv(index=False) for name, frame in files.items()}
    return engagement(folder, text + more, **csv)


def _customers(random: np.random.Generator, number: int) -> pd.DataFrame:
    joined = [FIRST + timedelta(days=int(each)) for each in random.integers(-900, 900, number)]
    return pd.DataFrame(
        {
            "account_id": [f"C{each:04d}" for each in range(number)],
            "name": [f"Customer {each}" for each in range(number)],
            "owner": random.choice(OWNERS, number),
            "size": random.choice(["Large", "Mid", "Small"], number, p=[0.2, 0.35, 0.45]),
            "country": random.choice(["Germany", "France", ""], number, p=[0.5, 0.4, 0.1]),
            "joined_on": joined,
        }
    )


def _subscriptions(random: np.random.Generator, who: pd.DataFrame) -> pd.DataFrame:
    """Larger customers have more; some things are taken later, few are given up."""
    share = who["size"].map({"Large": 0.7, "Mid": 0.5, "Small": 0.35}).to_numpy()
    held = random.random((len(who), len(PRODUCTS))) < share[:, None]
    rows = []
    for place, product in np.argwhere(held):
        began = max(FIRST, who["joined_on"].iloc[place]) + timedelta(days=int(random.integers(0, 500)))
        ended = began + timedelta(days=int(random.integers(200, 900))) if random.random() < 0.15 else None
        rows.append((who["account_id"].iloc[place], PRODUCTS[product], began, ended))
    return pd.DataFrame(rows, columns=["account_id", "product_id", "start", "end"])


def _opportunities(random: np.random.Generator, who: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Most sales are recorded, some offers are lost, and one owner records none."""
    owner = who.set_index("account_id")["owner"]
    rows = []
    for sold in held.itertuples():
        if owner[sold.account_id] != SILENT and random.random() < 0.7:
            opened = max(FIRST, sold.start - timedelta(days=40))
            rows.append((sold.account_id, sold.product_id, "won", opened, max(opened, sold.start)))
    sold = set(zip(held["account_id"], held["product_id"], strict=True))
    for account in who["account_id"]:
        for product in PRODUCTS:
            if (account, product) not in sold and owner[account] != SILENT and random.random() < 0.25:
                opened = FIRST + timedelta(days=int(random.integers(0, 1000)))
                lost = random.random() < 0.7
                status, closed = ("lost", opened + timedelta(days=60)) if lost else ("open", None)
                rows.append((account, product, status, opened, closed))
    return pd.DataFrame(rows, columns=["account_id", "product_id", "status", "opened", "closed"])


def _feedback(random: np.random.Generator, who: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Those who have more say better things; a third never answers."""
    has = held.groupby("account_id").size().reindex(who["account_id"], fill_value=0)
    rows = []
    for account, number in has.items():
        if random.random() < 0.33:
            continue
        for _ in range(int(random.integers(1, 4))):
            score = int(np.clip(random.normal(4.5 + 0.6 * number, 2), 0, 10))
            day = FIRST + timedelta(days=int(random.integers(300, 1090)))
            topic = random.choice(["Price", "Service", "Product"])
            rows.append((account, day, score, random.choice([*PRODUCTS[:4], ""]), topic))
    return pd.DataFrame(rows, columns=["account_id", "date", "score", "product_id", "topic"])


def _interactions(random: np.random.Generator, who: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for account in who["account_id"]:
        for kind, often in (("webinar", 0.8), ("visit", 1.5), ("training", 0.4)):
            for _ in range(random.poisson(often)):
                rows.append((account, FIRST + timedelta(days=int(random.integers(300, 1090))), kind))
    return pd.DataFrame(rows, columns=["account_id", "date", "kind"])
