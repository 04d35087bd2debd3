"""Money: what existing accounts bring, what changed it, and what goes with having more products.

Shares are from 0 to 1 (and above: 1.03 is 103 %), amounts are decimals in the engagement's currency, undefined
is missing. Periods are compared only where the data cover them to the day; see
:mod:`kpilib.revenue.periods`.
"""

from __future__ import annotations

from kpilib.revenue.association import Impact, earlier_quarter, impact
from kpilib.revenue.balance import PARTS, growth_balance
from kpilib.revenue.cohort import (
    GROWTH,
    Figure,
    account_retention,
    existing_account_growth,
    gross_revenue_retention,
    net_revenue_retention,
    retention,
)
from kpilib.revenue.levels import revenue_per_account
from kpilib.revenue.periods import covered, longest
from kpilib.revenue.wallet import Wallet, above_wallet, share_of_wallet, wallet_by

__all__ = [
    "GROWTH",
    "PARTS",
    "Figure",
    "Impact",
    "Wallet",
    "above_wallet",
    "account_retention",
    "covered",
    "earlier_quarter",
    "existing_account_growth",
    "gross_revenue_retention",
    "growth_balance",
    "impact",
    "longest",
    "net_revenue_retention",
    "retention",
    "revenue_per_account",
    "share_of_wallet",
    "wallet_by",
]
