"""Who was in a programme, who was held out of it, from when; and what makes a hold-out none.

A programme is measured from complete quarters alone: those that ended before it began are *before*, those that ended
since are *after*. What was assigned (a customer, a territory) is the unit of everything that is said with an interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from kpilib.book import Book
from kpilib.engagement import ITSELF
from kpilib.errors import DataError, listed, near
from kpilib.measures import queries
from kpilib.measures.queries import Moment
from kpilib.sql import NOT_GIVEN

FEWEST_ACCOUNTS = 10  # on each side, or the engagement's minimum_cell if that is more
FEWEST_UNITS = 3  # on each side: of two, one is half of all that is known
ACCOUNT = "customer"
TREATED, HELD_OUT, OTHERS = "treated", "held_out", "others"
ARMS = (TREATED, HELD_OUT, OTHERS)


@dataclass(frozen=True)
class Programme:
    """One programme and its time.

    ``members``: one row per account enrolled, by account_id: account_id, arm (treated, held_out), start, stop,
    unit, selected_on, cost (float, NaN where not told). ``quarters`` are the complete ones, oldest first. ``fault``
    says why what was held out is no hold-out (None: it is one, or nobody was held out).
    """

    name: str
    assigned_by: str
    start: date
    last_start: date
    quarters: tuple[Moment, ...]
    members: pd.DataFrame
    fault: str | None

    @property
    def before(self) -> tuple[Moment, ...]:
        """The quarters that ended before anybody began."""
        return tuple(each for each in self.quarters if each.as_of < self.start)

    @property
    def after(self) -> tuple[Moment, ...]:
        """The quarters that ended since everybody had begun."""
        return tuple(each for each in self.quarters if each.as_of >= self.last_start)

    @property
    def full_after(self) -> tuple[Moment, ...]:
        """The quarters that began since everybody had begun: the programme ran on all of their days."""
        return tuple(each for each in self.quarters if each.first_day >= self.last_start)

    @property
    def treated(self) -> int:
        """How many accounts took part."""
        return int((self.members["arm"] == TREATED).sum())

    @property
    def held_out(self) -> int:
        """How many accounts were held out."""
        return int((self.members["arm"] == HELD_OUT).sum())

    @property
    def staggered(self) -> bool:
        """Whether accounts began in different quarters."""
        return self.last_start > self.start and len(self.start_quarters) > 1

    @property
    def start_quarters(self) -> list[int]:
        """The quarters (index) in which treated accounts began, each once."""
        return sorted(self.members.loc[self.members["arm"] == TREATED, "start_quarter"].unique().tolist())


def names(book: Book) -> list[str]:
    """Name the programmes of an engagement, by their first start; none where there is no such table."""
    if not book.has("programmes"):
        return []
    found = queries.fetch(book, "SELECT programme, min(start) AS start FROM programmes GROUP BY programme")
    return found.sort_values(["start", "programme"])["programme"].tolist()


def programme(book: Book, name: str | None = None, through: str | None = None) -> Programme:
    """Read one programme; without a name, the only one or the first.

    Parameters
    ----------
    through
        The last quarter to look at; without it, the last complete one.

    Raises
    ------
    DataError
        When there is no such programme, more of the table is set aside than the engagement allows, it starts outside
        the data, no complete quarter lies before or after its start, or fewer accounts took part than the stated
        minimum (10, or minimum_cell if that is more).
    """
    _refuse_set_aside(book)
    members = members_of(book, name)
    name = str(members["programme"].iloc[0])
    treated = members[members["arm"] == TREATED]
    first, last = treated["start"].min(), treated["start"].max()
    _refuse_outside(book, name, first, last)
    quarters = _quarters(book, name, first, last, through)
    assigned_by, members = _units(book, members)
    fault = _fault(book, members, assigned_by, first, last)
    found = Programme(name, assigned_by, first, last, quarters, members, fault)
    return found if fault else replace(found, fault=_fault_of_reach(book, found))


def members_of(book: Book, name: str | None = None) -> pd.DataFrame:
    """List the accounts enrolled in one programme, by account_id: programme, and as :class:`Programme` says.

    Raises
    ------
    DataError
        When there is no such programme, or fewer accounts took part than the stated minimum.
    """
    known = names(book)
    if not known or (name is not None and name not in known):
        raise DataError(
            f"There is no programme {name!r}." if known else "The engagement tells of no programme.",
            f"Programmes: {listed(known)}." if known else "",
            near(str(name), known) if known else "Declare a table under [programmes].",
        )
    name = name or known[0]
    members = _members(book, name)
    _refuse_few(book, name, members[members["arm"] == TREATED])
    return members.assign(programme=name)


def fewest_accounts(book: Book) -> int:
    """Return how many accounts each side needs before anything is said of it."""
    return max(FEWEST_ACCOUNTS, book.engagement.minimum_cell)


def overlapping(book: Book, programme: Programme, sides: pd.DataFrame | None = None) -> pd.DataFrame:
    """Count who took part in other programmes before this one's last quarter ended.

    Parameters
    ----------
    sides
        account_id and arm of those to count; without it, those enrolled.

    Returns
    -------
    One row per other programme, and last one for all of them together (programme None): programme, and how many
    accounts of each arm were treated in it: treated, held_out, others.
    """
    until = programme.after[-1].as_of
    arms = ", ".join(f"count(DISTINCT p.account_id) FILTER (m.arm = '{arm}') AS {arm}" for arm in ARMS)
    found = queries.fetch(
        book,
        f"""
        SELECT p.programme, {arms}
        FROM programmes p JOIN mine m USING (account_id)
        WHERE p.programme <> {queries.literal(programme.name)} AND NOT p.hold_out AND p.start <= DATE '{until}'
              AND (p.stop IS NULL OR p.stop >= DATE '{programme.before[-1].first_day}')
        GROUP BY GROUPING SETS ((p.programme), ())
        """,
        order=["programme"],
        mine=(programme.members if sides is None else sides)[["account_id", "arm"]],
    )
    return found.astype(dict.fromkeys(ARMS, int))


def reached(found: pd.DataFrame, arm: str) -> int:
    """Return how many accounts of an arm took part in any other programme."""
    return int(found.loc[found["programme"].isna(), arm].sum())


def _members(book: Book, name: str) -> pd.DataFrame:
    found = queries.fetch(
        book,
        f"""
        SELECT account_id, bool_or(hold_out) AS out, bool_or(NOT hold_out) AS took_part, min(start) AS start,
               max(stop) AS stop, min(unit) AS unit, count(DISTINCT unit) AS units, min(selected_on) AS selected_on,
               sum(cost)::DOUBLE AS cost
        FROM programmes WHERE programme = {queries.literal(name)} GROUP BY account_id
        """,
        order=["account_id"],
    )
    days = pd.to_datetime(found["start"])
    shift = (days.dt.year * 12 + days.dt.month - book.engagement.fiscal_year_start) // 3
    return found.assign(
        arm=np.where(found["took_part"], TREATED, HELD_OUT),
        twice=found["took_part"] & found["out"],
        start=days.dt.date,
        start_quarter=shift,
    )


def _units(book: Book, members: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Find what was assigned: the table's unit, else the account attribute of that name, else the account."""
    word = book.engagement.programmes.unit
    if members["unit"].notna().any():
        if (members["unit"] == members["account_id"]).all():
            return ACCOUNT, members
        return ("unit" if word is None or word in ITSELF else word), members
    if word in queries.attributes(book):
        told = f'SELECT account_id, {queries.value_of(book, word)} AS "unit" FROM accounts a'
        units = queries.fetch(book, told).set_index("account_id")["unit"].replace(NOT_GIVEN, None)
        return word, members.assign(unit=members["account_id"].map(units), units=1)
    if word is None or word in ITSELF:
        return ACCOUNT, members.assign(unit=members["account_id"], units=1)
    return word, members  # of this programme the column tells nothing


def _refuse_set_aside(book: Book) -> None:
    """Refuse programmes of which too many rows could not be read, as ``kpi check`` does."""
    totals = book.totals() if book.has("totals") else pd.DataFrame({"table": []})
    mine = totals[totals["table"] == "programmes"]
    read, aside = (int(mine[each].sum()) if len(mine) else 0 for each in ("rows_read", "rows_set_aside"))
    if read and aside / read > book.engagement.allow_set_aside:
        raise DataError(
            "Too many rows of the table of programmes cannot be used.",
            f"{aside:,} of {read:,} are set aside; the engagement allows {book.engagement.allow_set_aside:.1%}.",
            "Mend what kpi check names.",
        )


def _refuse_few(book: Book, name: str, treated: pd.DataFrame) -> None:
    fewest = fewest_accounts(book)
    if len(treated) < fewest:
        raise DataError(
            f"{name!r} is too small to be measured.",
            f"{len(treated)} customers took part; {fewest} is the least.",
            "Measure it together with others like it.",
        )


def _refuse_outside(book: Book, name: str, first: date, last: date) -> None:
    opens, closes = book.engagement.data_from, book.engagement.data_to
    if first < opens or last > closes:
        raise DataError(
            f"{name!r} starts outside the data.",
            f"It starts on {first if first < opens else last}; the data cover {opens} to {closes}.",
            "Correct its start, or give data of that time.",
        )


def _quarters(book: Book, name: str, first: date, last: date, through: str | None) -> tuple[Moment, ...]:
    end = queries.moment(book, through).index if through else None
    known = [queries.moment(book, each) for each in book.quarters.loc[book.quarters["complete"], "label"]]
    known = [each for each in known if end is None or each.index <= end]
    sides = {
        "before": (first, any(each.as_of < first for each in known)),
        "after": (last, any(each.as_of >= last for each in known)),
    }
    for side, (day, there) in sides.items():
        if not there:
            complete = listed([each.label for each in known]) if known else "none"
            raise DataError(
                f"{name!r} has no complete quarter {side} its start.",
                f"It starts on {day}; complete quarters: {complete}.",
                "Take a shorter look-back, or give earlier data."
                if side == "before"
                else "Ask for a later quarter, or give more data.",
            )
    return tuple(known)


def _fault(book: Book, members: pd.DataFrame, assigned_by: str, first: date, last: date) -> str | None:
    """Say why what was held out is no hold-out: it would make an effect of what is none."""
    out, treated = (members[members["arm"] == arm] for arm in (HELD_OUT, TREATED))
    if members["twice"].any():
        return f"{int(members['twice'].sum())} customers are told both as held out and as taking part"
    if out.empty:
        return None
    if len(out) < fewest_accounts(book):
        return f"only {len(out)} customers were held out; {fewest_accounts(book)} is the least"
    if out["start"].min() < first:
        return f"held-out customers have a start ({out['start'].min()}) before the programme's ({first})"
    if out["start"].max() > last:
        return f"held-out customers have a start of their own ({out['start'].max()}), after the programme's"
    return _fault_of_grounds(out, treated) or _fault_of_units(out, treated, assigned_by)


def _fault_of_grounds(out: pd.DataFrame, treated: pd.DataFrame) -> str | None:
    grounds = [set(each["selected_on"].drop_duplicates().fillna("")) for each in (out, treated)]
    if grounds[0] != grounds[1]:
        only = sorted(grounds[0] ^ grounds[1])
        return f"held-out customers were chosen on other grounds than those that took part ({listed(only, most=3)})"
    return None


def _fault_of_units(out: pd.DataFrame, treated: pd.DataFrame, assigned_by: str) -> str | None:
    if assigned_by == ACCOUNT:
        return None
    both = pd.concat([out, treated])
    if both["unit"].isna().any():
        return f"{int(both['unit'].isna().sum())} customers have no {assigned_by}, which is what was drawn"
    mixed = set(out["unit"]) & set(treated["unit"])
    if mixed or (both["units"] > 1).any():
        return (
            f"it was drawn by {assigned_by}, and {len(mixed)} of them have both customers that took part and"
            f" customers held out ({listed(sorted(mixed), most=3)})"
        )
    fewest = min(out["unit"].nunique(), treated["unit"].nunique())
    if fewest < FEWEST_UNITS:
        return f"it was drawn by {assigned_by}, and one side has only {fewest} of them; {FEWEST_UNITS} is the least"
    return None


def _fault_of_reach(book: Book, programme: Programme) -> str | None:
    """Say whether most of those held out took part in other programmes: they show no untouched customers."""
    if not programme.held_out:
        return None
    elsewhere = reached(overlapping(book, programme), HELD_OUT)
    if elsewhere * 2 > programme.held_out:
        return f"{elsewhere} of the {programme.held_out} customers held out took part in other programmes meanwhile"
    return None


def fault_of_estimate(book: Book, programme: Programme, counted: pd.DataFrame) -> str | None:
    """Say whether too few of those held out, or of what was drawn, enter the estimate.

    Parameters
    ----------
    counted
        arm and unit of the accounts counted both before and after.
    """
    fewest = fewest_accounts(book)
    out = counted[counted["arm"] == HELD_OUT]
    if len(out) < fewest:
        return (
            f"only {len(out)} of the {programme.held_out} customers held out are counted both before and after;"
            f" {fewest} is the least"
        )
    units = counted[counted["arm"] != OTHERS].groupby("arm")["unit"].nunique().min()
    if programme.assigned_by != ACCOUNT and units < FEWEST_UNITS:
        return (
            f"it was drawn by {programme.assigned_by}, and customers counted both before and after lie in only"
            f" {units} of them on one side; {FEWEST_UNITS} is the least"
        )
    return None
