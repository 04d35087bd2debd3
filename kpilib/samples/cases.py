"""The two published cases as they were told: what an engagement has to show, as data."""

from __future__ import annotations

from dataclasses import dataclass

DEGREE, INDEX = "account_penetration_degree", "account_penetration_index"


@dataclass(frozen=True)
class Case:
    """A published claim: a KPI before and after (shares), growth of existing customers' revenue (share), and its year.

    ``name`` is the folder of the engagement made of it, ``earlier`` and ``later`` the quarters that its year runs
    between, ``measures`` what the firm is said to have done, ``launched`` how many products it put on sale meanwhile.
    """

    name: str
    firm: str
    kpi: str
    before: float
    after: float
    growth: float
    earlier: str
    later: str
    measures: tuple[str, ...]
    launched: int
    source: str


TECHNOLOGY = Case(
    "technology_firm",
    "a leading technology firm",
    DEGREE,
    0.45,
    0.75,
    0.25,
    "2023Q4",
    "2024Q4",
    ("customers segmented by usage and need", "a feedback loop", "targeted outreach"),
    0,
    "the case study told with the KPI Account Penetration Degree; the firm is not named",
)
SOFTWARE = Case(
    "software_firm",
    "a mid-sized software firm",
    INDEX,
    0.12,
    0.28,
    0.15,
    "2023Q4",
    "2024Q4",
    ("webinars", "a CRM", "training"),
    2,
    "the case study told with the KPI Account Penetration Index; the firm is not named",
)
