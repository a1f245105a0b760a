"""The result of an extraction: one registry on a screen, several as one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditreg.errors import redact_uri
from auditreg.formats.escape import escape_control
from auditreg.formats.interface import OutputTarget
from auditreg.formats.terminal.text import clock, masked_values, paragraph
from auditreg.ledger.ingest import IngestSummary
from auditreg.ledger.result import ExtractionResult
from auditreg.sources.interface import is_of_unhashed_files, is_of_unread_files
from auditreg.words import bytes_in_words, quantity

NAMES = {
    "registered_model": ("model", "models"),
    "model_version": ("version", "versions"),
    "alias": ("alias", "aliases"),
    "registered_model_tag": ("model tag", "model tags"),
    "model_version_tag": ("version tag", "version tags"),
    "experiment": ("experiment", "experiments"),
    "run": ("run", "runs"),
    "logged_model": ("logged model", "logged models"),
    "model_artifact": ("model file", "model files"),
    "principal": ("user or role", "users and roles"),
    "permission": ("right", "rights"),
}
"""Kinds of entries as people call one and several of them, in the order they are told."""

_MOST = ("registered_model", "model_version")
_LABEL = 12
_DOUBTS = 8
"""So many doubts or notes are shown; the rest is counted."""
_MANY = 10_000
"""Rows per second are shown from this many rows on."""
_CLOCK_MS = 2_000
"""A server's clock may differ by so much before it is worth a line."""


def text(outcomes: Sequence[ExtractionResult], target: OutputTarget, ledger: str) -> bytes:
    """One registry in full; of several a line each."""
    if len(outcomes) == 1:
        lines = list(_whole(outcomes[0], target.timezone))
    else:
        lines = [(outcome.registry, one_line(outcome)) for outcome in outcomes]
    lines += _closing(outcomes, ledger)
    wide = min(max([_LABEL, *(len(label) for label, _ in lines)]), 32)
    return "".join(paragraph(label, value, wide, target.width) for label, value in lines).encode()


def quiet(outcomes: Sequence[ExtractionResult]) -> bytes:
    """A line per registry, and nothing else."""
    lines = (f"{outcome.registry}: {one_line(outcome)}\n" for outcome in outcomes)
    return "".join(lines).encode()


def one_line(outcome: ExtractionResult) -> str:
    """What came of one registry, on one line."""
    done = outcome.done
    if done is None:
        what = redact_uri(outcome.error.what) if outcome.error else ""
        return f"{outcome.status}: {escape_control(what)}"
    doubts = "; ".join(escape_control(doubt) for doubt in done.completeness.doubts[:1])
    verdict = f"INCOMPLETE ({doubts}): " if not done.complete else ""
    news = "first extraction" if done.first else changed(done) if done.changes else "no change"
    most = ", ".join(_counted(done.counts.get(kind, 0), kind) for kind in _MOST)
    return f"{verdict}{news}; {most} read"


def changed(done: IngestSummary) -> str:
    """What is new, changed and gone: `2 versions new, 1 alias moved`."""
    if done.first:
        return "everything is new: this is the first extraction of this registry"
    parts = []
    kinds = [*NAMES, *(kind for kind, _ in done.changes if kind not in NAMES)]
    for kind in dict.fromkeys(kinds):
        new = done.new.get(kind, 0)
        moved = done.changes.get((kind, "put"), 0) - new
        for number, verb in (
            (new, "new"),
            (moved, "moved" if kind == "alias" else "changed"),
            (done.changes.get((kind, "gone"), 0), "gone"),
        ):
            if number:
                parts.append(f"{_counted(number, kind)} {verb}")
    return ", ".join(parts) or "nothing since the last extraction"


def _counted(number: int, kind: str) -> str:
    plain = kind.replace("_", " ")
    singular, plural = NAMES.get(kind, (plain, f"{plain}s"))
    return f"{number:,} {singular if number == 1 else plural}"


def _read(done: IngestSummary) -> str:
    kinds = [*NAMES, *(kind for kind in done.counts if kind not in NAMES)]
    counted = {kind: _counted(done.counts[kind], kind) for kind in kinds if done.counts.get(kind)}
    if _has_unread_files(done):  # a line of their own says how many
        counted.pop("model_artifact", None)
    if done.prompts:  # MLflow keeps them as registered models, and nobody else takes them for some
        noun = "a prompt" if done.prompts == 1 else "prompts"
        counted["registered_model"] += f" ({done.prompts:,} of them {noun})"
    return ", ".join(counted.values()) or "nothing"


def _whole(outcome: ExtractionResult, tz: str) -> Iterator[tuple[str, str]]:
    """What changed, what was read, what this cannot know."""
    done = outcome.done
    if done is None:
        yield outcome.status, outcome.error.what if outcome.error else ""
        return
    if not done.complete:
        yield (
            "INCOMPLETE",
            "no result is to be trusted. What was read is recorded, nothing was taken as gone.",
        )
        doubts = done.completeness.doubts
        yield from (("doubt", doubt) for doubt in doubts[:_DOUBTS])
        if len(doubts) > _DOUBTS:
            yield "doubt", f"and {len(doubts) - _DOUBTS:,} more: --format json"
    yield "changed", changed(done)
    yield "read", f"{_read(done)} in {_seconds(outcome)}"
    location = outcome.info.location if outcome.info else ""
    yield "from", f"{location}, as of {clock(done.observed_at, tz)}"
    yield from _model_files(done)
    yield from _weights(done)
    yield from _journal(done)
    if left := _left_out(done):
        yield "left out", ", ".join(left)
    if done.secrets:
        yield "secrets", masked_values(done.secrets)
    for limit in done.cannot_show[:_DOUBTS]:
        yield "cannot show", limit
    if done.first and not done.journal:
        yield (
            "cannot know",
            (
                "what was changed before now, and who changed it: MLflow overwrites stages, aliases "
                "and tags. From here on every extraction narrows it down."
            ),
        )
    for note in outcome.notes[:_DOUBTS]:
        yield "note", note


def _seconds(outcome: ExtractionResult) -> str:
    rows = sum(outcome.rows.values())
    rate = f", {rows / outcome.seconds:,.0f} rows/s" if rows >= _MANY else ""
    return f"{outcome.seconds:,.1f} s{rate}"


def _unread_files(done: IngestSummary) -> dict[str, int]:
    """The versions whose files nobody could read, by reason."""
    left_out = done.completeness.left_out
    return {reason: count for reason, count in left_out.items() if is_of_unread_files(reason)}


def _has_unread_files(done: IngestSummary) -> bool:
    counted, read = done.completeness.counts.get("model_artifacts", (0, 0))
    return counted != read


def _model_files(done: IngestSummary) -> Iterator[tuple[str, str]]:
    """How many versions' files were read, where it was not all, and why not."""
    if _has_unread_files(done):
        counted, read = done.completeness.counts["model_artifacts"]
        reasons = [
            f"{count:,} {reason.removeprefix('model files ')}"
            for reason, count in _unread_files(done).items()
        ]
        yield "model files", "; ".join([f"{read:,} of {counted or 0:,} versions' read", *reasons])


def _weights(done: IngestSummary) -> Iterator[tuple[str, str]]:
    """How much was hashed of the files of models, and whose were not and how they would be."""
    account = done.completeness
    hashed = account.options.get("bytes hashed", "0")
    if hashed != "0":
        yield "hashed", f"{bytes_in_words(int(hashed))} of model files"
    reasons = [
        f"{count:,} {reason}"
        for reason, count in account.left_out.items()
        if is_of_unhashed_files(reason)
    ]
    if reasons:
        how = "--manifest live (manifest of a [[source]]) hashes them, and downloads what is elsewhere"
        yield "not hashed", "; ".join([*reasons, how])


def _left_out(done: IngestSummary) -> list[str]:
    account = done.completeness
    told = _unread_files(done)
    left = [
        f"{count:,} {what}"
        for what, count in account.left_out.items()
        if count and what not in told and not is_of_unhashed_files(what)
    ]
    if account.tombstones:
        left.append(f"{quantity(account.tombstones, 'deleted version')}, kept as such")
    if account.gaps:
        left.append(f"{quantity(account.gaps, 'version number')} with no version")
    return left


def _journal(done: IngestSummary) -> Iterator[tuple[str, str]]:
    """Lines about the server's journal: its new rows, and changes missing from it."""
    if done.journal:
        rows = quantity(done.captured, "row")
        yield "captured", f"{rows} of the server's own journal {_are(done.captured)} new"
    if done.unexplained:
        missing = f"{quantity(done.unexplained, 'change')} {_are(done.unexplained)} missing"
        yield (
            "unrecorded",
            (
                f"{missing} from the server's journal; why is not established: "
                "auditreg changes, auditreg capture status"
            ),
        )
    offset = done.clock_offset_ms or 0
    if abs(offset) > _CLOCK_MS:
        yield (
            "clock",
            (
                f"the server's is {abs(offset) / 1000:,.1f} s {'ahead' if offset > 0 else 'behind'}; "
                "its times are recorded as it wrote them"
            ),
        )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _closing(outcomes: Sequence[ExtractionResult], ledger: str) -> Iterator[tuple[str, str]]:
    """The ledger as it is now, and the next step."""
    recorded = [outcome.done for outcome in outcomes if outcome.done is not None]
    if not recorded:
        return
    appended = sum(done.appended for done in recorded)
    last = recorded[-1]
    noun = "entry" if appended == 1 else "entries"
    yield "ledger", f"{ledger}: {appended:,} {noun} appended, {last.tree_size + 1:,} in all"
    yield "root", f"{last.tree_size}:{last.root}"
    if all(outcome.status == "recorded" for outcome in outcomes):
        only_prompts = all(
            done.prompts == done.counts.get("registered_model", 0) > 0 for done in recorded
        )
        yield "next", "auditreg inventory --kind prompt" if only_prompts else "auditreg check"
    else:
        yield "next", "repair the cause and extract again"
