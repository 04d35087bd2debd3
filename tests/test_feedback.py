"""What customers said, whom we met, whom to ask: by hand, and against the plainest pandas."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import invented
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kpilib import contrast, feedback, kept, penetration, publish
from kpilib.errors import DataError
from kpilib.figures import feedback as feedback_figures
from kpilib.measures import cells
from kpilib.tables import feedback as feedback_tables
from kpilib.wording import feedback as say_feedback

NOW = "2025Q4"
YEAR = ("Ax Ay Bx C D",) * 4
SAID = {"feedback": {"rows": [{}], "scale": (0, 10)}, "minimum_cell": 1}


def keep(book, name, rows, columns, casts=""):
    frame = pd.DataFrame(rows, columns=columns).astype(object)  # noqa: F841, DuckDB reads it by name
    file = book.folder / f"{name}.parquet"
    duckdb.sql(f"COPY (SELECT * REPLACE ({casts}) FROM frame) TO '{file}'")
    return book


def told(book, *rows):
    """Keep feedback: account, day, score[, product, topic]."""
    full = [(*each, None, None)[:5] for each in rows]
    casts = (
        "day::DATE AS day, score::DECIMAL(18, 4) AS score, product_id::VARCHAR AS product_id, topic::VARCHAR AS topic"
    )
    return keep(book, "feedback", full, ["account_id", "day", "score", "product_id", "topic"], casts)


def met(book, *rows):
    casts = "day::DATE AS day, amount::DECIMAL(18, 4) AS amount"
    return keep(
        book, "interactions", [(*each, None)[:4] for each in rows], ["account_id", "day", "kind", "amount"], casts
    )


@pytest.fixture(scope="module")
def northgate(tmp_path_factory):
    return kept.open_book(invented.write(tmp_path_factory.mktemp("northgate")))


def test_the_latest_answer_in_the_window_counts_and_answers_of_a_day_are_averaged(book):
    small = told(
        book(*YEAR, products="xy", engagement=SAID),
        *(("A", "2025-03-01", 2), ("A", "2025-08-01", 10), ("A", "2025-08-01", 9)),
        *(("B", "2025-12-31", 4), ("B", "2024-12-31", 10), ("C", "2024-12-31", 0), ("D", "2026-01-01", 0)),
        ("Z", "2025-05-05", 0),
    )
    assert feedback.coverage(small, NOW).to_dict("records") == [
        {"accounts": 4, "answered": 2, "coverage": 0.5, "suppressed": False}
    ]
    found = feedback.score(small, NOW).iloc[0]
    assert (found["n"], found["score"], found["nps"]) == (2, (9.5 + 4) / 2, 0.0)
    assert (found["promoters"], found["detractors"]) == (0.5, 0.5)


@pytest.mark.parametrize(("scale", "defined"), [((0, 10), True), ((1, 10), False), ((1, 5), False)])
def test_promoters_are_defined_from_0_to_10_only(book, scale, defined):
    said = SAID | {"feedback": {"rows": [{}], "scale": scale}}
    small = told(book(*YEAR, products="xy", engagement=said), ("A", "2025-03-01", 5))
    found = feedback.score(small, NOW).iloc[0]
    assert pd.notna(found["nps"]) == defined
    assert found["score"] == 5


def test_seven_and_eight_are_neither_promoters_nor_detractors(book):
    small = told(
        book(*YEAR, products="xy", engagement=SAID),
        *((a, "2025-03-01", s) for a, s in zip("ABCD", (9, 8, 7, 6), strict=True)),
    )
    found = feedback.score(small, NOW).iloc[0]
    assert (found["promoters"], found["detractors"], found["nps"]) == (0.25, 0.25, 0.0)


def test_small_groups_are_named_and_say_nothing(book):
    options = {"engagement": SAID | {"minimum_cell": 2}, "attributes": {"size": {"A": "big", "B": "big", "C": "small"}}}
    small = told(book(*YEAR, products="xy", **options), ("A", "2025-03-01", 1), ("B", "2025-03-01", 3))
    found = feedback.score(small, NOW, "size").set_index("group")
    assert found["suppressed"].to_dict() == {"big": False, "small": True, "(not given)": True}
    assert found["score"].dropna().to_dict() == {"big": 2.0}
    shares = feedback.coverage(small, NOW, "size").set_index("group")["coverage"]
    assert shares.dropna().to_dict() == {"big": 1.0}


def test_bands_part_the_accounts_with_a_degree(northgate):
    found = feedback.by_band(northgate, NOW)
    assert found["band"].tolist() == ["low", "moderate", "healthy", "very high"]
    assert found["accounts"].tolist() == penetration.bands(northgate, NOW)["accounts"].tolist()
    assert found["answered"].sum() == feedback.coverage(northgate, NOW)["answered"].iloc[0]
    assert found["n"].equals(found["answered"])


def test_scores_are_those_of_the_plainest_pandas(northgate):
    said = northgate.table("feedback")
    inside = said[(said["day"] >= date(2025, 1, 1)) & (said["day"] <= date(2025, 12, 31))]
    latest = inside[inside["day"] == inside.groupby("account_id")["day"].transform("max")]
    scores = latest.astype({"score": float}).groupby("account_id")["score"].mean().rename("score")
    who = northgate.table("accounts").set_index("account_id").join(scores)
    plain = who.groupby(who["size"])["score"]
    found = feedback.score(northgate, NOW, "size").set_index("group")
    pd.testing.assert_series_equal(found["score"], plain.mean(), check_names=False, check_dtype=False)
    pd.testing.assert_series_equal(found["n"], plain.count(), check_names=False, check_dtype=False)
    nps = plain.agg(lambda each: (each.dropna() >= 9).mean() - (each.dropna() <= 6).mean())
    pd.testing.assert_series_equal(found["nps"], nps, check_names=False, check_dtype=False)


def test_of_each_product_the_latest_answer_counts(book):
    small = told(
        book(*YEAR, products="xy", engagement=SAID),
        *(("A", "2025-03-01", 2, "x"), ("A", "2025-04-01", 8, "y"), ("A", "2025-05-01", 6, "y")),
        *(("B", "2025-03-01", 4, "x"), ("B", "2025-06-01", 1)),
    )
    found = feedback.by_subject(small, NOW).set_index("group")
    assert found["score"].to_dict() == {"x": 3.0, "y": 6.0, "(not given)": 1.0}
    assert list(found.index)[-1] == "(not given)"
    assert feedback.by_subject(small, NOW, "topic") is None
    with pytest.raises(DataError, match="not told by 'product'"):
        feedback.by_subject(small, NOW, "product")


def test_contacts_count_accounts_once_and_by_kind(book):
    small = met(
        book(*YEAR, products="xy", engagement=SAID),
        *(("A", "2025-03-01", "visit", "1.5"), ("A", "2025-04-01", "visit", "2"), ("A", "2025-04-01", "webinar")),
        *(("C", "2025-04-01", "webinar"), ("B", "2024-12-31", "visit"), ("Z", "2025-04-01", "visit")),
    )
    found = feedback.contacts(small, NOW).set_index("kind")
    assert found["reached"].to_dict() == {"(any)": 2, "visit": 1, "webinar": 2}
    assert found["contacts"].to_dict() == {"(any)": 4, "visit": 2, "webinar": 2}
    assert found.loc["visit", "amount"] == Decimal("3.5")
    assert found.loc["(any)", "share"] == 0.5
    bands = feedback.contacts_by_band(small, NOW).set_index("band")
    assert bands["reached"].to_dict() == {"low": 1, "moderate": 0, "healthy": 0, "very high": 1}
    assert bands["accounts"].to_dict() == {"low": 2, "moderate": 1, "healthy": 0, "very high": 1}


def test_to_ask_are_those_of_the_band_without_an_answer_for_so_long(book):
    small = told(
        book(*("Ax Bx Cx D E",) * 4, products="xy", engagement=SAID),
        *(("A", "2024-12-31", 2), ("B", "2025-01-01", 8), ("D", "2020-01-01", 1)),
    )
    found = feedback.to_ask(small, NOW, "moderate")
    assert found["account_id"].tolist() == ["A", "C"]
    assert found["why"].tolist() == [
        "moderate, and last answered 12 months ago, on 2024-12-31",
        "moderate, and no answer on record",
    ]
    assert feedback.to_ask(small, NOW, "moderate", months=9)["account_id"].tolist() == ["A", "B", "C"]
    assert feedback.to_ask(small, NOW, "healthy").empty
    with pytest.raises(DataError, match=r"There is no band 'modrate'\. Did you mean 'moderate'"):
        feedback.to_ask(small, NOW, "modrate")
    with pytest.raises(DataError, match="no time to have waited"):
        feedback.to_ask(small, NOW, "low", months=0)


def test_the_survey_file_tells_who_looks_after_whom_and_starts_with_the_largest(book):
    options = {"names": {"A": "Ada Ltd", "B": "Bo plc"}, "revenue": {"A": "10", "B": "99"}}
    found = feedback.to_ask(book("Ax Bx", products="xy", **options), "2025Q1", "moderate")
    assert list(found) == [
        *("account_id", "name", "owner", "band", "possible", "held", "degree", "revenue_window", "last_asked", "why")
    ]
    assert found[["account_id", "name", "owner", "degree"]].to_numpy().tolist() == [
        ["B", "Bo plc", "Kim", 0.5],
        ["A", "Ada Ltd", "Kim", 0.5],
    ]
    assert found["last_asked"].isna().all()


def test_every_account_with_a_degree_is_in_one_list_with_its_action(northgate):
    found = feedback.band_actions(northgate, NOW)
    counted = penetration.bands(northgate, NOW).set_index("band")
    assert found.groupby("band").size().to_dict() == counted["accounts"].to_dict()
    assert found["account_id"].is_unique
    assert (found["action"] == found["band"].map(counted["action"])).all()
    last = northgate.table("feedback").groupby("account_id")["day"].max()
    assert found.set_index("account_id")["last_asked"].dropna().to_dict() == last.to_dict()
    due = feedback.to_ask(northgate, NOW, "moderate")
    waited = found[(found["band"] == "moderate") & ~(found["months_ago"] < 12).fillna(False)]
    assert due["account_id"].tolist() == waited["account_id"].tolist()


def test_what_is_not_recorded_has_no_figures(book):
    small = book(*YEAR, products="xy")
    assert feedback.coverage(small, NOW) is None
    assert feedback.score(small, NOW) is None
    assert feedback.by_band(small, NOW) is None
    assert feedback.by_subject(small, NOW) is None
    assert feedback.contacts(small, NOW) is None
    assert feedback.contacts_by_band(small, NOW) is None


def test_tables_without_a_row_in_the_window_count_nobody(book):
    small = told(book(*YEAR, products="xy", engagement=SAID), ("A", "2024-01-01", 3))
    met(small, ("A", "2024-01-01", "visit"))
    assert feedback.coverage(small, NOW)["coverage"].tolist() == [0.0]
    assert feedback.score(small, NOW)["score"].isna().all()
    assert feedback.contacts(small, NOW)["reached"].tolist() == [0]
    assert feedback.contacts_by_band(small, NOW)["reached"].tolist() == [0, 0, 0, 0]


# groups: hidden alike everywhere, and told as different only where that is clear


def segmented(book, scores, smallest=3, **facts):
    """Accounts of three sizes that answered so: size, score, a letter each."""
    names = [chr(ord("A") + place) for place in range(len(scores))]
    options = {"engagement": SAID | {"minimum_cell": smallest} | facts}
    sizes = {name: size for name, (size, _) in zip(names, scores, strict=True)}
    made = book(*(" ".join(f"{name}x" for name in names),) * 4, products="xy", attributes={"size": sizes}, **options)
    rows = [(name, "2025-03-01", score, "x", size) for name, (size, score) in zip(names, scores, strict=True)]
    return told(made, *rows)


def test_one_small_group_alone_is_not_told_by_the_total(book):
    said = [("big", 2), ("big", 3), ("big", 4), ("big", 5), ("mid", 6), ("mid", 7), ("mid", 8), ("small", 10)]
    made = segmented(book, said)
    for found in (
        feedback.by_group(made, NOW, "size"), feedback.score(made, NOW, "size"), feedback.by_subject(made, NOW, "topic")
    ):  # fmt: skip
        hidden = found.set_index("group")
        assert hidden["suppressed"].to_dict() == {"big": False, "mid": True, "small": True}
        assert hidden["score"].dropna().to_dict() == {"big": 3.5}
    shown = publish.masked(feedback.by_group(made, NOW, "size"), "group").set_index("group")
    assert shown.loc[["mid", "small"]].drop(columns="suppressed").isna().all(axis=None)
    page = feedback_tables.by_group(feedback.by_group(made, NOW, "size"), "size").html
    assert "mid" not in page
    assert "2 groups not shown" in page
    assert feedback.coverage(made, NOW, "size").set_index("group")["coverage"].dropna().to_dict() == {"big": 1.0}


def test_two_small_groups_hide_each_other(book):
    said = [("big", 2), ("big", 3), ("big", 4), ("mid", 6), ("mid", 7), ("small", 10), ("small", 9)]
    found = feedback.by_group(segmented(book, said), NOW, "size").set_index("group")
    assert found["suppressed"].to_dict() == {"big": False, "mid": True, "small": True}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(1, 6))
def test_what_is_hidden_cannot_be_had_from_the_total(sizes, smallest):
    hide = cells.hidden(sizes, smallest)
    hidden = [size for size, out in zip(sizes, hide, strict=True) if out and size]
    assert all(size >= smallest for size, out in zip(sizes, hide, strict=True) if not out)
    assert all(hide) or not hidden or (len(hidden) > 1 and sum(hidden) >= smallest)


def test_a_band_is_hidden_alike_in_chart_table_and_file(book):
    made = told(
        book(*("Ax Bx Cx Dx Ex Ey Fx Fy G H I",) * 4, products="xy", engagement=SAID | {"minimum_cell": 3}),
        *((name, "2025-03-01", 5) for name in "ABCDEGHI"),
    )
    found = feedback.by_band(made, NOW)
    drawn = feedback_figures.by_band(found, (0, 10), "Title", "Subtitle", "Note", 3)
    kept = publish.masked(found, "band", "action").set_index("band")
    for row in found.to_dict("records"):
        assert row["suppressed"] == pd.isna(kept.loc[row["band"], "coverage"]) == pd.isna(row["coverage"])
    shown = [f"{share:.1%}" for share in found["coverage"].dropna()]
    texts = [each.get_text() for each in drawn.texts]
    assert [each for each in texts if each.endswith("%")] == shown
    assert len(shown) == 1


def test_only_what_is_clear_is_told_as_a_difference(book):
    said = [("big", each) for each in (2, 3, 2, 3, 2)] + [("small", each) for each in (7, 8, 7, 8, 7)]
    made = segmented(book, said)
    found = contrast.standing_out(made, NOW, "size").set_index("group")
    assert found["score"].to_dict() == {"big": 2.4, "small": 7.4}
    assert found["others"].to_dict() == pytest.approx({"big": 7.4, "small": 2.4})
    plain = stats.ttest_ind([2, 3, 2, 3, 2], [7, 8, 7, 8, 7], equal_var=False).confidence_interval(0.975)
    assert (found.loc["big", "low"], found.loc["big", "high"]) == pytest.approx((plain.low, plain.high))
    assert say_feedback.standing_out(found.reset_index(), "company_size") == (
        "By company size, big scores clearly lower than all others (2.4 from 5 customers, against 7.4); "
        "small scores clearly higher than all others (7.4 from 5 customers, against 2.4)."
    )
    assert contrast.standing_out(made, NOW, "topic")["group"].tolist() == ["big", "small"]
    assert contrast.standing_out(made, NOW, "product_id").empty  # one product: no others
    near = segmented(
        book, [(size, score) for size, score in zip("aaaaabbbbb", (2, 7, 3, 8, 5, 3, 7, 2, 9, 5), strict=True)]
    )
    assert contrast.standing_out(near, NOW, "size").empty


def test_bands_are_compared_as_welch_does(book):
    first, last = (2, 4, 3, 5), (4, 6, 5, 9)
    made = told(
        book(*("A B C D Ex Ey Fx Fy Gx Gy Hx Hy",) * 4, products="xy", engagement=SAID | {"minimum_cell": 3}),
        *((name, "2025-03-01", score) for name, score in zip("ABCDEFGH", first + last, strict=True)),
    )
    found, plain = contrast.scores(made, NOW), stats.ttest_ind(last, first, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    assert contrast.scores(book("Ax"), "2025Q1").value is None
