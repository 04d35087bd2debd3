"""Positions equal the plainest pandas, and the properties that any right answer has."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Client, Rule
from oracle import positions as by_hand

from kpilib import positions
from kpilib.quarters import Calendar

MONEY = pa.decimal128(18, 4)
SHAPES = {
    "accounts": {"account_id": pa.string(), "joined_on": pa.date32(), "left_on": pa.date32(), "region": pa.string()},
    "sales": {"account_id": pa.string(), "product_id": pa.string(), "day": pa.date32(), "quantity": MONEY, "revenue": MONEY},
    "invoices": {"account_id": pa.string(), "day": pa.date32(), "revenue": MONEY},
    "spans": {"account_id": pa.string(), "product_id": pa.string(), "start": pa.date32(), "stop": pa.date32(), "quantity": MONEY},
    "snapshots": {"account_id": pa.string(), "product_id": pa.string(), "day": pa.date32()},
}
REGIONS = ("north", "south", None)
