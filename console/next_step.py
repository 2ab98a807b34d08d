"""`atoll` alone: the state of a project, and the one thing to do next."""

from __future__ import annotations

from dataclasses import dataclass

from console.wording import counted, names_of


@dataclass(frozen=True)
class Standing:
    """The state of a project; a later field is known only where all before it are in order.

    files: a verb's FILES, '' for the default program.  exists: whether there is a program.  mistakes: in it.
    account: why no account can be asked, or ''.  account_remedy: what to do then.
    stopped, quiesced, failing, late, new: datasets of the active program, by their problems.
    undeployed: what the program needs and is not deployed.  secrets: the remedy for each missing one.
    typed: whether there are snapshots of the sources.
    applied: a program was ever applied.  differs: the program here is not the last one that was applied.
    takes_effect: the boundary of the pending update set, or ''.
    """

    exists: bool = True
    files: str = ""
    mistakes: int = 0
    account: str = ""
    account_remedy: str = ""
    stopped: tuple[str, ...] = ()
    quiesced: tuple[str, ...] = ()
    undeployed: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    typed: bool = True
    applied: bool = True
    differs: bool = False
    takes_effect: str = ""
    failing: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    current: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """The next step. said: the state of the project, a sentence.  command: what to do next."""

    said: str
    command: str


def next_step(at: Standing) -> Step:
    """The first of these that holds: an obstacle to everything, a stopped dataset, something missing, something under way."""
    return _of_the_program(at) or _of_what_stands_still(at) or _of_what_is_missing(at) or _of_what_runs(at)


def _of_the_program(at: Standing) -> Step | None:
    if not at.exists:
        return Step("There is no program here.", "atoll init")
    if at.mistakes:
        return Step(f"The program has {counted(at.mistakes, 'mistake')}.", _with(at, "atoll check"))
    if at.account:
        return Step(f"The program has no mistakes; but {at.account}.", at.account_remedy)
    return None


def _of_what_stands_still(at: Standing) -> Step | None:
    if at.stopped:
        return Step(f"Stopped, after failing too often: {names_of(at.stopped)}.", f"atoll why {at.stopped[0]}, then atoll retry")
    if at.quiesced:
        return Step(f"Standing still, because a source changed: {names_of(at.quiesced)}.", "atoll drift")
    return None


def _of_what_is_missing(at: Standing) -> Step | None:
    if at.undeployed:
        return Step(f"Not deployed, and needed by the program: {names_of(at.undeployed)}.", "atoll deploy")
    if at.secrets:
        return Step(f"The program names {counted(len(at.secrets), 'secret')} not stored yet.", at.secrets[0])
    if not at.typed:
        return Step("What the sources look like is not known yet, so columns have no types.", "atoll discover")
    if not at.applied:
        return Step("Everything is there, and no program was applied yet.", _with(at, "atoll plan") + ", then atoll apply")
    if at.differs:
        return Step("The program here is not the one that was applied.", _with(at, "atoll plan") + ", then atoll apply")
    return None


def _of_what_runs(at: Standing) -> Step:
    if at.failing:
        return Step(f"Failed, and tried again by itself: {names_of(at.failing)}.", f"atoll why {at.failing[0]}")
    if at.takes_effect:
        return Step(f"What was applied takes effect at {at.takes_effect}.", "atoll plan --pending")
    if at.late:
        return Step(f"Late: {names_of(at.late)}.", f"atoll why {at.late[0]}")
    if at.new:
        return Step(f"Applied, and no batch was made yet of {names_of(at.new)}.", f"atoll why {at.new[0]}")
    return Step(f"All is well: {counted(len(at.current), 'dataset')}, each current.", "atoll status")


def _with(at: Standing, command: str) -> str:
    return " ".join(filter(None, (command, at.files)))
