"""Segments by kind of holdings: latent classes of what accounts have, chosen only if they last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.errors import DataError
from kpilib.measures import counts, queries
from kpilib.measures.queries import Moment
from kpilib.segments import latent
from kpilib.segments.partition import NOTHING_POSSIBLE, Segmentation

MOST_PRODUCTS = 20  # of more, almost every account has a pattern of its own, and one class a product's whims
FITTED_ON = 5_000  # accounts: they tell rates to a point or two; all are sorted, whoever was fitted on
FEWEST = 50


@dataclass(frozen=True)
class Kinds:
    """The classes behind a segmentation, and why there are so many.

    ``products`` the products they were told by, of ``catalogue`` that some have and some lack; ``fitted_on`` the
    accounts they were fitted on; ``certainty`` how probable, on average, the class is that an account was given
    (0 to 1).
    """

    products: tuple[str, ...]
    catalogue: int
    fitted_on: int
    choice: latent.Choice
    certainty: float


def by_class(book: Book, quarter: str, seed: int = 1) -> Segmentation:
    """Divide by latent classes of holdings, from the least holding to the most.

    What an account could not hold is missing, not zero. Classes are told by at most twenty products, those whose
    holding varies most; their number by BIC, if accounts drawn anew give the same classes, else the largest number
    for which they do.

    Raises
    ------
    DataError
        There are too few accounts or products that divide them, or no classes last.
    """
    at = queries.moment(book, quarter)
    products, varying = _telling(book, quarter)
    patterns = _fitted(book, at, products, seed)
    if len(products) < 2 or patterns.n < FEWEST:
        raise DataError(
            "Kinds of holdings cannot be told.",
            f"Products had by some and not by others: {len(products)}; accounts that could buy them: {patterns.n}.",
            f"It takes two products and {FEWEST} accounts; divide by attribute or band.",
        )
    choice = latent.choose(patterns, seed=seed)
    if choice.model is None:
        raise DataError("Holdings fall into no kinds that last.", _why_none(choice), "Divide by attribute or band.")
    model = choice.model
    kinds = Kinds(tuple(products["product_id"]), varying, patterns.n, choice, latent.certainty(model, patterns))
    names, meaning = _names(model, kinds.products)

    def members(book: Book, at: Moment) -> str:
        return _members(book, at, model, products, names)

    return Segmentation(
        "class", "kind of holdings", names, at.label, members, meaning, by_construction=True, model=kinds
    )


def _telling(book: Book, quarter: str) -> tuple[pd.DataFrame, int]:
    """Choose the products whose holding varies most, in catalogue order; also count those that vary at all."""
    found = counts.by_product(book, quarter)
    varies = found["held"] * (found["possible"] - found["held"]) / found["possible"].where(found["possible"] > 0)
    kept = found.assign(varies=varies)[varies > 0].sort_values("varies", ascending=False, kind="stable")
    chosen = kept.head(MOST_PRODUCTS)[["product_id"]]
    catalogue = book.products.sort_values("place")[["product_id", "word", "bit"]]
    return catalogue[catalogue["product_id"].isin(set(chosen["product_id"]))], len(kept)


def _fitted(book: Book, at: Moment, products: pd.DataFrame, seed: int) -> latent.Patterns:
    """Count the patterns of the base; of very many accounts, of some drawn at random."""
    if products.empty:
        return latent.Patterns(*(np.zeros((0, 0), int),) * 2, np.zeros(0, int))
    found = queries.fetch(book, _patterns(book, at, products), order=_words(products))
    held, seen = (_bits(found, products, name) for name in ("held", "possible"))
    counted = found["accounts"].to_numpy(np.int64)
    known = np.where(seen.any(axis=1), counted, 0)
    if known.sum() > FITTED_ON:
        known = np.random.default_rng(seed).multivariate_hypergeometric(known, FITTED_ON, method="marginals")
    return latent.Patterns(held, seen, counted).counting(known)


def _patterns(book: Book, at: Moment, products: pd.DataFrame) -> str:
    """Count accounts by what was possible and held of certain products."""
    masks = products.groupby("word")["bit"].sum()
    told = ", ".join(f"{name}_{w} & {mask} AS {name}_{w}" for w, mask in masks.items() for name in ("possible", "held"))
    return f"SELECT {told}, count(*) AS accounts FROM ({queries.base(book, [at.index])}) GROUP BY ALL"


def _words(products: pd.DataFrame) -> list[str]:
    return [f"{name}_{w}" for w in sorted(set(products["word"])) for name in ("possible", "held")]


def _bits(found: pd.DataFrame, products: pd.DataFrame, name: str) -> latent.Array:
    columns = [
        (found[f"{name}_{word}"].to_numpy(np.int64) & int(bit)) != 0
        for word, bit in zip(products["word"], products["bit"], strict=True)
    ]
    return np.stack(columns, axis=1).astype(np.int8)


def _members(book: Book, at: Moment, model: latent.Model, products: pd.DataFrame, names: tuple[str, ...]) -> str:
    """Write the most probable class of every account: the log-probability of each pattern, added up by the engine."""
    places = list(zip(products["word"], products["bit"], strict=True))
    sums = ", ".join(_log_probability(*each, places) for each in zip(model.shares, model.rates, strict=True))
    told = ", ".join(queries.literal(name) for name in names)
    some = " OR ".join(f"possible_{w} <> 0" for w in sorted(set(products["word"])))
    keys = " AND ".join(
        f"c.{name}_{w} & {mask} = p.{name}_{w}"
        for w, mask in products.groupby("word")["bit"].sum().items()
        for name in ("possible", "held")
    )
    return f"""
        WITH c AS (SELECT * FROM ({queries.base(book, [at.index])})),
        p AS (SELECT *, [{sums}]::DOUBLE[] AS chance, {some} AS some FROM ({_patterns(book, at, products)}))
        SELECT c.account_id, CASE WHEN p.some THEN [{told}][list_position(p.chance, list_max(p.chance))]
                                  ELSE {queries.literal(NOTHING_POSSIBLE)} END AS segment
        FROM c JOIN p ON {keys}
    """


def _log_probability(share: float, rates: latent.Array, places: list[tuple[int, int]]) -> str:
    terms = [
        f"CASE WHEN held_{w} & {bit} <> 0 THEN {float(np.log(rate))!r} "
        f"WHEN possible_{w} & {bit} <> 0 THEN {float(np.log1p(-rate))!r} ELSE 0 END"
        for (w, bit), rate in zip(places, rates, strict=True)
    ]
    return f"{float(np.log(share))!r}::DOUBLE + " + " + ".join(terms)


def _names(model: latent.Model, products: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Name the least kind by what most of it have, each other by what it has beyond the kind before."""
    first = [products[n] for n in np.argsort(-model.rates[0], kind="stable") if model.rates[0][n] >= 0.5]
    names, meaning = [f"Kind 1: mainly {_few(first)}" if first else "Kind 1: hardly anything"], {}
    for number in range(1, model.classes):
        more = model.rates[number] - model.rates[number - 1]
        added = [products[n] for n in np.argsort(-more, kind="stable") if more[n] > 0]
        names.append(f"Kind {number + 1}: also {_few(added)}")
    for name, rates in zip(names, model.rates, strict=True):
        usual = [products[n] for n in np.argsort(-rates, kind="stable") if rates[n] >= 0.5]
        meaning[name] = f"more than half have {', '.join(usual)}" if usual else "no product is had by half of them"
    return tuple(names), meaning


def _few(products: list[str], most: int = 2) -> str:
    return ", ".join(products[:most])


def _why_none(choice: latent.Choice) -> str:
    if choice.by_bic == 1:
        return "One kind for all describes them best: which products a customer has says little of the others."
    tried = "; ".join(f"{classes} classes: {agreement:.2f}" for classes, agreement in choice.agreement.items())
    return f"Accounts drawn anew do not give the same classes (agreement {tried}; {latent.STABLE} is asked)."
