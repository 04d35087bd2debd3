"""Targets: what a KPI should be at a quarter's end, for all accounts, a segment, or an owner's."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

KPIS_WITH_TARGETS = {  # the least and the most that a target can say; None: any number from the least on
    **dict.fromkeys(("account_penetration_degree", "multi_product_share"), (0.0, 1.0)),
    **dict.fromkeys(("account_penetration_index", "attach_rate"), (0.0, 1.0)),
    "products_per_account": (0.0, None),
    "existing_account_growth": (-1.0, 5.0),
    "net_revenue_retention": (0.0, 5.0),
}
OF_ALL_ACCOUNTS = ("existing_account_growth", "net_revenue_retention")


class Target(BaseModel):
    """A plan: the value a KPI should have at a quarter's end, for all accounts, a segment or an owner's."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    quarter: str
    kpi: Literal[tuple(KPIS_WITH_TARGETS)]
    value: float
    segment: dict[str, str] | None = None
    owner: str | None = None
    k: int | None = Field(None, ge=1)
    product: str | None = None

    @field_validator("value")
    @classmethod
    def _in_range(cls, value: float, info: ValidationInfo) -> float:
        low, high = KPIS_WITH_TARGETS.get(info.data.get("kpi", ""), (0.0, None))
        if not (low <= value and (high is None or value <= high)):
            hint = "" if high is None else " Shares are written 0.42, not 42."
            raise ValueError(
                f"{value:g} lies outside {low:g} to {'any number' if high is None else f'{high:g}'}.{hint}"
            )
        return value

    @model_validator(mode="after")
    def _what_it_is_of(self) -> Target:
        if (self.kpi == "attach_rate") != (self.product is not None):
            raise ValueError("a target of attach_rate names its product, and no other target does")
        if self.k is not None and self.kpi != "multi_product_share":
            raise ValueError("k belongs to targets of multi_product_share")
        if self.kpi in OF_ALL_ACCOUNTS and self.whose:
            raise ValueError(f"a target of {self.kpi} is of all accounts: leave out segment and owner")
        return self

    @property
    def whose(self) -> dict[str, str]:
        """The attributes its accounts have; none for all accounts."""
        return {**(self.segment or {}), **({"owner": self.owner} if self.owner else {})}

    @property
    def products(self) -> int | None:
        """How many products make an account count for a multi-product share."""
        return (self.k or 2) if self.kpi == "multi_product_share" else None


def target_contradictions(targets: tuple[Target, ...], index_reading: str, opportunities: bool) -> list[str]:
    """List the targets that say the same twice, or cannot be compared with anything."""
    found: list[str] = []
    known: dict[Any, int] = {}
    for number, each in enumerate(targets, 1):
        key = (each.quarter.replace("-", "").upper(), each.kpi, each.products, each.product, *each.whose.items())
        if each.segment and "owner" in each.segment and each.owner:
            found.append(f"targets[{number}]: the owner is named twice; write owner, and leave it out of segment")
        if key in known:
            found.append(f"targets[{number}] and targets[{known[key]}] are of the same: keep one")
        known.setdefault(key, number)
        if each.kpi == "account_penetration_index" and index_reading == "engaged":
            found.append(f"targets[{number}]: under index_reading 'engaged' write kpi = 'multi_product_share'")
        elif each.kpi == "account_penetration_index" and not opportunities:
            found.append(f"targets[{number}]: an index needs [opportunities], and there are none")
    return found
