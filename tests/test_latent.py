"""Latent classes: published log-likelihoods, planted and absent classes, and the engine's own assignment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from kpilib import segments
from kpilib.errors import DataError
from kpilib.measures import queries
from kpilib.segments import classes, latent
from kpilib.segments.partition import NOTHING_POSSIBLE

Q1, Q2 = "2025Q1", "2025Q2"

# Seven pathologists (A to G) on 118 slides, carcinoma or not, and slides with each pattern.
# Agresti 2002, Categorical Data Analysis, table 13.1, as the R package poLCA carries it.
CARCINOMA = {
    **{"0000000": 34, "0000100": 2, "0100000": 6, "0100001": 1, "0100100": 4, "0100101": 5, "1000000": 2},
    **{"1010101": 1, "1100000": 2, "1100001": 1, "1100100": 2, "1100101": 7, "1100111": 1, "1101001": 1},
    **{"1101101": 2, "1101111": 3, "1110101": 13, "1110111": 5, "1111101": 10, "1111111": 16},
}
PUBLISHED = {2: -317.2568, 3: -293.705, 4: -289.2858}  # poLCA, help page of carcinoma


def carcinoma() -> latent.Patterns:
    held = np.array([[int(each) for each in pattern] for pattern in CARCINOMA])
    return latent.Patterns(held, np.ones_like(held), np.array(list(CARCINOMA.values())))


def drawn(rates, shares, accounts, seed=3, unseen=0.0) -> tuple[latent.Patterns, np.ndarray]:
    """Draw accounts from known classes; also the true class of each."""
    random = np.random.default_rng(seed)
    true = random.choice(len(shares), accounts, p=shares)
    held = (random.random((accounts, len(rates[0]))) < np.array(rates)[true]).astype(int)
    seen = (random.random(held.shape) >= unseen).astype(int)
    return latent.Patterns(held * seen, seen, np.ones(accounts, int)), true


def together(data: latent.Patterns) -> latent.Patterns:
    """Count accounts with the same pattern once."""
    rows, number = np.unique(data.held, axis=0, return_counts=True)
    return latent.Patterns(rows, np.ones_like(rows), number)


THREE = [[0.1] * 10, [0.8] * 5 + [0.1] * 5, [0.9] * 10]


@pytest.mark.parametrize("number", sorted(PUBLISHED))
def test_carcinoma_reaches_the_published_log_likelihood(number):
    data = carcinoma()
    assert (data.n, len(data.accounts)) == (118, 20)
    assert latent.fit(data, number).log_likelihood == pytest.approx(PUBLISHED[number], abs=0.0005)


def test_carcinoma_falls_into_three_classes_by_bic():
    """Shares by poLCA: .4447, .3736, .1817; BIC by StepMix: 706.074, 697.136, 726.463."""
    found = latent.choose(carcinoma())
    assert found.by_bic == 3
    assert found.bic[1:4] == pytest.approx((706.074, 697.136, 726.463), abs=0.02)
    assert sorted(found.model.shares.round(4)) == [0.1817, 0.3736, 0.4447]


def test_every_start_may_be_kept_and_none_does_better():
    """The race among the starts loses nothing here against letting each of fifteen converge."""
    data = carcinoma()
    for number in (2, 3, 4):
        best = max(latent.fit(data, number, starts=1, seed=seed).log_likelihood for seed in range(15))
        assert latent.fit(data, number).log_likelihood >= best - 1e-6


def plain_log_likelihood(model, data):
    """Add up the logarithm of each account's probability, one product at a time."""
    total = 0.0
    for held, seen, accounts in zip(data.held, data.seen, data.accounts, strict=True):
        chance = 0.0
        for share, rates in zip(model.shares, model.rates, strict=True):
            each = share
            for has, told, rate in zip(held, seen, rates, strict=True):
                each *= (rate if has else 1 - rate) if told else 1.0
            chance += each
        total += accounts * np.log(chance)
    return total


def test_the_log_likelihood_is_exact_and_leaves_out_what_could_not_be_held():
    data, _ = drawn(THREE, [0.4, 0.3, 0.3], 120, unseen=0.3)
    model = latent.fit(data, 2)
    assert model.log_likelihood == pytest.approx(plain_log_likelihood(model, data), abs=1e-6)


def test_no_small_move_of_the_rates_does_better():
    """The gradient in log-odds vanishes where a general optimiser would stop, with cells missing too."""
    data, _ = drawn([[0.2] * 4, [0.8] * 4], [0.5, 0.5], 200, unseen=0.2)
    model = latent.fit(data, 2)

    def loss(values):
        rates = 1 / (1 + np.exp(-values[1:].reshape(2, 4)))
        first = 1 / (1 + np.exp(-values[0]))
        moved = latent.Model(np.array([first, 1 - first]), rates, 0.0, data.n)
        return -plain_log_likelihood(moved, data)

    first = np.log(model.shares[0] / model.shares[1])
    at = np.concatenate([[first], np.log(model.rates / (1 - model.rates)).ravel()])
    assert optimize.approx_fprime(at, loss, 1e-6) == pytest.approx(np.zeros(9), abs=0.01)
    assert optimize.minimize(loss, at, method="BFGS", options={"maxiter": 20}).fun >= loss(at) - 1e-4


def test_patterns_with_counts_are_as_good_as_one_row_per_account():
    data, _ = drawn(THREE, [0.4, 0.3, 0.3], 300)
    assert latent.fit(together(data), 3).log_likelihood == pytest.approx(latent.fit(data, 3).log_likelihood, abs=1e-6)


def test_planted_classes_are_found_and_accounts_put_into_them():
    data, true = drawn(THREE, [0.4, 0.3, 0.3], 1000)
    found = latent.choose(together(data))
    assert found.by_bic == found.model.classes == 3
    assert found.agreement[3] >= latent.STABLE
    assert found.model.shares == pytest.approx([0.4, 0.3, 0.3], abs=0.05)
    assert np.mean(latent.assign(found.model, data) == true) > 0.93
    assert latent.certainty(found.model, data) > 0.9


def test_independent_holdings_fall_into_no_classes():
    data, _ = drawn([[0.2, 0.4, 0.6, 0.8, 0.5, 0.3]], [1.0], 800)
    found = latent.choose(together(data))
    assert (found.model, found.by_bic, found.agreement) == (None, 1, {})


def test_classes_that_resampling_does_not_give_again_are_fewer_or_none():
    """Weak classes in few accounts: BIC sees two, other accounts would show others."""
    data, _ = drawn([[0.25] * 6, [0.7] * 6], [0.7, 0.3], 150, seed=4)
    found = latent.choose(together(data), most=4)
    assert found.by_bic == 2
    assert found.model is None
    assert all(each < latent.STABLE for each in found.agreement.values())


def test_classes_stand_in_order_of_what_they_hold():
    data, _ = drawn(THREE[::-1], [0.2, 0.5, 0.3], 900)
    held = latent.fit(data, 3).rates.sum(axis=1)
    assert (np.diff(held) > 0).all()


def test_the_same_seed_gives_the_same_model():
    data, _ = drawn(THREE, [0.4, 0.3, 0.3], 300)
    one, other = latent.fit(data, 4, seed=5), latent.fit(data, 4, seed=5)
    assert (one.rates == other.rates).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 9)), min_size=2, max_size=12))
def test_agreement_is_the_adjusted_rand_index(rows):
    metrics = pytest.importorskip("sklearn.metrics")
    one, other, accounts = (np.array(each) for each in zip(*rows, strict=True))
    wanted = metrics.adjusted_rand_score(np.repeat(one, accounts), np.repeat(other, accounts))
    assert latent.adjusted_rand(one, other, accounts) == pytest.approx(wanted, abs=1e-12)


# on a book


def kinds_book(book, accounts=90, quarters=1):
    """Draw two kinds over six products, one of them not possible for every third account; A0 could buy nothing."""
    random = np.random.default_rng(4)
    products, tokens = list("uvwxyz"), []
    for n in range(accounts):
        rates = [0.9, 0.9, 0.9, 0.8, 0.8, 0.8] if n % 2 else [0.9, 0.1, 0.1, 0.1, 0.1, 0.1]
        for place, product in enumerate(products):
            barred = n == 0 or (n % 3 == 0 and place == 1)
            held = random.random() < rates[place]
            tokens.append(f"A{n}{product}{'-' if barred else ''}" if barred or held else f"A{n}")
    return book(*[" ".join(tokens)] * quarters, products=products)


def test_kinds_of_a_book_are_those_of_the_model(book):
    """The engine adds up log-probabilities; numpy's assignment must be the same."""
    made = kinds_book(book)
    found = segments.by_class(made, Q1)
    assert len(found.segments) == 2
    assert found.segments[0] == "Kind 1: mainly u"
    assert found.segments[1].startswith("Kind 2: also ")
    at = queries.moment(made, Q1)
    products, _ = classes._telling(made, Q1)
    rows = queries.fetch(
        made, f"SELECT account_id, possible_0, held_0 FROM ({queries.base(made, [at.index])})", order=["account_id"]
    )
    held, seen = (classes._bits(rows, products, name) for name in ("held", "possible"))
    model = found.model.choice.model
    numbers = latent.assign(model, latent.Patterns(held, seen, np.ones(len(rows), int)))
    wanted = [NOTHING_POSSIBLE if n < 0 else found.segments[n] for n in numbers]
    given = segments.listed(made, Q1, found).sort_values("account_id")
    assert given["segment"].tolist() == wanted
    assert wanted[0] == NOTHING_POSSIBLE


def test_an_account_that_could_not_hold_a_product_is_not_counted_as_lacking_it():
    """Had it counted as zero, the barred would have been put with those who hold little."""
    model = latent.Model(np.array([0.5, 0.5]), np.array([[0.1, 0.5, 0.1], [0.9, 0.5, 0.9]]), 0.0, 10)
    barred = latent.Patterns(np.array([[1, 1, 0]]), np.array([[1, 1, 0]]), np.array([1]))
    as_zero = latent.Patterns(np.array([[1, 1, 0]]), np.array([[1, 1, 1]]), np.array([1]))
    assert latent.assign(model, barred).tolist() == [1]
    assert latent.assign(model, as_zero).tolist() == [0]  # even odds: the first


def test_kinds_follow_accounts_into_other_quarters_by_the_same_model(book):
    made = kinds_book(book, quarters=2)
    found = segments.by_class(made, Q2)
    assert segments.accounts_in(made, Q1, found) == segments.accounts_in(made, Q2, found)
    moves = segments.movers(made, Q2, Q1, found)
    assert (moves["before"] == moves["now"]).all()


def test_only_the_products_that_vary_most_tell_kinds(book, monkeypatch):
    monkeypatch.setattr(classes, "MOST_PRODUCTS", 4)
    found = segments.by_class(kinds_book(book), Q1)
    assert (len(found.model.products), found.model.catalogue) == (4, 6)


def test_a_sample_is_drawn_where_there_are_very_many_accounts(book, monkeypatch):
    made = kinds_book(book, accounts=300)
    monkeypatch.setattr(classes, "FITTED_ON", 200)
    found = segments.by_class(made, Q1)
    assert found.model.fitted_on == 200
    assert sum(segments.accounts_in(made, Q1, found).values()) == 300


@pytest.mark.parametrize(
    ("text", "what"),
    [("Ax", "not by others: 0"), ("Ax B", "not by others: 1"), ("Ax By", "not by others: 2; .* buy them: 2")],
)
def test_too_little_to_tell_kinds_by_is_refused(book, text, what):
    with pytest.raises(DataError, match=rf"cannot be told\. Products had by some and {what}"):
        segments.by_class(book(text, products=["x", "y", "z"]), Q1)


def test_holdings_without_kinds_are_refused_with_the_reason(book):
    random = np.random.default_rng(1)
    text = " ".join(f"A{n}{p if random.random() < 0.5 else ''}" for n in range(80) for p in "xyz")
    with pytest.raises(DataError, match="fall into no kinds that last"):
        segments.by_class(book(text, products=list("xyz")), Q1)


def test_catalogues_of_many_words_are_told_by_few_products(book):
    """Ninety products in two words; those that vary most may lie in either."""
    products = [f"p{n}" for n in range(90)]
    random = np.random.default_rng(2)
    text = " ".join(
        f"A{n}p{k}" for n in range(60) for k in (0, 1, 2, 70, 71, 72) if random.random() < (0.9 if n % 2 else 0.15)
    )
    text += " " + " ".join(f"A{n}" for n in range(60))
    made = book(text, products=products)
    found = segments.by_class(made, Q1)
    assert set(found.model.products) == {"p0", "p1", "p2", "p70", "p71", "p72"}
    odd = pd.Series({f"A{n}": n % 2 for n in range(60)})
    given = segments.listed(made, Q1, found).set_index("account_id")["segment"]
    assert pd.crosstab(odd, given.reindex(odd.index)).to_numpy().max(axis=1).sum() >= 56
