"""A check for the eye: one screen that says what to do first, or everything.

The first screen has at most 40 lines, however large the registry is. Findings are grouped by what
it takes to set them right, because that is what decides who does something and when.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from auditreg.errors import ExitCode
from auditreg.fields import FIELDS
from auditreg.formats.escape import escape_control
from auditreg.formats.findings import totals
from auditreg.formats.terminal.finding import everything, finding
from auditreg.formats.terminal.layout import STYLES, cut, flowed, height, render, wrapped
from auditreg.formats.terminal.text import clock, fitted, moment_judged
from auditreg.models import Repair, RuleInfo, Scope, Severity, Status
from auditreg.words import a_few, quantity

if TYPE_CHECKING:
    from auditreg.formats.interface import CheckView
    from auditreg.models import CheckResult, Finding

LINES = 40
"""The first screen's length at most."""

_NAME = 40
_LEAST = 16
"""Columns that the id of a rule gets at most and at least."""

_COUNTS = 43
"""Columns that a rule's severity and its counts take beside its id."""

_DETAILED = 6  # as many open findings as are worth a paragraph each on the first screen

GROUPS = {
    Repair.TAG: "To be recorded, if it took place",
    Repair.REGISTRY: "Fixable in the registry today",
    Repair.RETRAIN: "Resolved by the next training",
    Repair.HISTORY: "Past events (cannot be undone; need a response)",
}
"""What it takes to repair, as headings; what can be done today comes first."""

_EFFORT = tuple(GROUPS)

_TAGS = {known.id: known.tags for known in FIELDS}


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule with open findings: how grave the worst is, and its population with what is carried forward."""

    rule: RuleInfo
    severity: Severity
    population: int
    open: int
    failed: int


class CheckText:
    """Shows a check on a terminal or in a log."""

    def render(self, result: CheckResult, view: CheckView) -> bytes:
        """See `CheckFormat.render`."""
        width = view.target.width
        opened = result.open
        bottom = _closing(
            opened, view, unjudged=bool(result.nothing_live and result.nothing_live.found)
        )
        if view.everything:
            top = _flowed(_heading(result, view), width)
            first = _nothing_live(result, width)
            return render(
                [*top, *first, Text(), *everything(result, view), Text(), *bottom], view.target
            )
        lines: list[Text] = []
        for most in (2, 1):  # where much is wrong at once, each of it gets one line
            top = _flowed(_heading(result, view), width, most)
            middle = [
                *_nothing_live(result, width),
                *_flowed([*_errors(result), *_waivers(result)], width, most),
            ]
            room = LINES - len(top) - len(middle) - _height(bottom, width) - 1
            middle += _details(opened, view, room) or _groups(result, opened, view, room)
            lines = [*top, *middle, Text(), *bottom]
            if _height(lines, width) <= LINES:
                break
        return render(lines, view.target)


def _height(lines: Sequence[Text], width: int) -> int:
    return sum(height(line, width) for line in lines)


def _flowed(lines: Sequence[Text], width: int, most: int = 2) -> list[Text]:
    return [part for line in lines for part in flowed(line, width, most)]


def _heading(result: CheckResult, view: CheckView) -> list[Text]:
    """What was judged, as of when, by which policy; then the counts."""
    populations: dict[Scope, int] = {}
    for examined in result.rules:
        if not examined.out_of_reach:
            populations[examined.rule.scope] = examined.population
    parts = [
        quantity(populations[scope], *noun)
        for scope, *noun in (
            (Scope.REGISTERED_MODEL, "model"),
            (Scope.MODEL_VERSION, "version"),
            (Scope.LIVE_VERSION, "version in use", "versions in use"),
            (Scope.RETIRED_VERSION, "retired version"),
            (Scope.PROMOTION, "promotion"),
        )
        if scope in populations
    ]
    if not parts and Scope.LIVE_IN_PERIOD in populations:
        number = populations[Scope.LIVE_IN_PERIOD]
        parts = [quantity(number, "version in use in the period", "versions in use in the period")]
    elif not parts and populations:
        parts = ["The ledger as a whole"]
    first, last = result.period
    lines = [
        Text(" · ".join(parts) or "No rule ran", "bold"),
        Text(f"as of {moment_judged(result.as_of, view.timezone)} · changes of {first} to {last}"),
        Text(f"{quantity(len(result.rules), 'rule')} · policy {result.policy[:12]}"),
        *_readings(result, view.timezone),
    ]
    if result.answers_known is not None:
        at = clock(result.answers_known, view.timezone)
        lines.append(Text(f"waivers as the check of {at} knew them, not those of today"))
    if result.no_longer_found:
        numbers = a_few(result.no_longer_found)
        lines.append(
            Text(f"open at the last check by then, not so by the record of today: {numbers}")
        )
    if result.selection:
        lines.append(Text(f"only {escape_control(', '.join(result.selection))}"))
    return [*lines, Text(), *_counts(result)]


def _nothing_live(result: CheckResult, width: int) -> list[Text]:
    """Why no version was judged, and what to set."""
    nothing = result.nothing_live
    if nothing is None:
        return []
    if not nothing.found:
        return [Text(), Text("No version was registered by then, so none was judged.", "bold")]
    return [
        Text(),
        Text("No version counts as in use, so none was judged.", "bold"),
        *wrapped("counts", escape_control(nothing.counting), width),
        *wrapped("found", escape_control(nothing.having), width),
        *wrapped("do", escape_control(nothing.to_set), width),
    ]


def _readings(result: CheckResult, tz: str) -> list[Text]:
    """Which readings the result rests on, and any that was incomplete."""
    readings = result.ledger.get("extractions")
    if not isinstance(readings, list) or not readings:
        return []
    incomplete = [reading for reading in readings if not reading["complete"]]
    if incomplete:
        names = escape_control(", ".join(str(reading["registry"]) for reading in incomplete))
        words = f"INCOMPLETE: the last reading of {names}. Trust no result; auditreg status"
        return [Text(words, "bold red")]
    oldest = min(reading["observed_at"] for reading in readings)
    many = "registry" if len(readings) == 1 else f"{len(readings)} registries, the earliest"
    return [Text(f"last reading of the {many} {clock(oldest, tz)}, complete")]


def _counts(result: CheckResult) -> list[Text]:
    """How many answers of each kind; short enough never to be cut."""
    counts = totals(result)
    repairing = sum(
        1 for a in result.answers if a.waiver is not None and a.waiver.status == "under_repair"
    )
    failed, missing = counts[Status.FAIL], counts[Status.NOT_EVIDENCED]
    line = Text(f"{counts[Status.PASS]:,} met · ")
    if not failed + missing:
        line.append("nothing open", "green")
    else:
        line.append(f"{failed + missing:,} open", "bold red")
        line.append(f" ({missing:,} no record, {failed:,} not met)")
    others = [
        f"{number:,} {words}"
        for number, words in (
            (sum(a.carried for a in result.open), "of the open from earlier periods"),
            (repairing, "of the open under repair"),
            (counts[Status.WAIVED], "accepted"),
            (counts[Status.ANSWERED], "answered"),
            (counts[Status.PREDATES_POLICY], "older than the policy"),
            (counts[Status.NOT_APPLICABLE], "not applicable"),
        )
        if number
    ]
    lines = [line]
    if others:
        lines.append(Text(" · ".join(others)))
    if undecided := counts[Status.UNDECIDED]:
        lines.append(Text(f"{undecided:,} cannot be told from the readings (auditreg check --all)"))
    unreached = sum(rule.out_of_reach for rule in result.rules)
    if unasked := sum(rule.not_asked is not None for rule in result.rules) - unreached:
        lines.append(Text(f"{quantity(unasked, 'rule')} not asked: nothing they apply to"))
    if unreached:
        words = "not asked: they need a ledger, with other models or what was before"
        lines.append(Text(f"{quantity(unreached, 'rule')} {words}"))
    return lines


def _errors(result: CheckResult) -> list[Text]:
    """Rules that could not be evaluated, before anything else: they make the rest untrustworthy."""
    broken = [examined for examined in result.rules if examined.error]
    if not broken:
        return []
    lines = [
        Text(),
        Text(
            f"{quantity(len(broken), 'rule')} could not be evaluated: trust no result.", "bold red"
        ),
    ]
    lines += [
        Text.assemble("  ", (examined.rule.id, "bold"), f"  {escape_control(examined.error or '')}")
        for examined in broken[:3]
    ]
    if len(broken) > 3:
        lines.append(Text(f"  … and {len(broken) - 3} more"))
    return lines


def _waivers(result: CheckResult) -> list[Text]:
    """Waivers that do not hold: somebody relies on them in vain."""
    bad = [waiver for waiver in result.waivers if waiver.is_bad]
    if not bad:
        return []
    lines = [
        Text(),
        Text(f"{quantity(len(bad), 'invalid waiver')}: auditreg waivers", "bold yellow"),
    ]
    lines += [Text(f"  {escape_control(waiver.sentence)}") for waiver in bad[:2]]
    return lines


def _details(opened: Sequence[Finding], view: CheckView, room: int) -> list[Text]:
    """Every open finding with what to do, where they are few enough for the screen."""
    if not 0 < len(opened) <= _DETAILED:
        return []
    lines: list[Text] = []
    for answer in opened:
        lines += [Text(), *finding(answer, view)]
    return lines if _height(lines, view.target.width) <= room else []


def _groups(
    result: CheckResult, opened: Sequence[Finding], view: CheckView, room: int
) -> list[Text]:
    """Open findings by what it takes to repair and by rule, then the worst one in full."""
    if not opened:
        return []
    width = view.target.width
    steps = _first_steps(result, width)
    worst = [Text(), Text("Start with", "bold"), *finding(_first(opened), view, brief=True)]
    for block in (steps, worst):
        room -= _height(block, width)
    if room < 8:
        # A long command must not push the overview off the screen; `--all` shows it.
        room += _height(worst, width)
        worst = []
    by_repair: dict[Repair, list[_Rule]] = defaultdict(list)
    for rule in _rules(result, opened):
        by_repair[rule.rule.repair].append(rule)
    shown = _chosen(by_repair, room)
    names = min(_NAME, max(len(name) for name in shown), max(width - _COUNTS, _LEAST))
    lines: list[Text] = []
    for repair, heading in GROUPS.items():
        if rules := by_repair.get(repair):
            lines += _group(heading, rules, [r for r in rules if r.rule.id in shown], names)
    return [*(cut(line, width) for line in lines), *steps, *worst]


def _first(opened: Sequence[Finding]) -> Finding:
    """The open finding to begin with: of the gravest, one that takes the least to repair."""
    return min(opened, key=lambda a: (a.severity.rank, _EFFORT.index(a.rule.repair)))


def _rules(result: CheckResult, opened: Sequence[Finding]) -> list[_Rule]:
    counts: dict[str, Counter[Status]] = defaultdict(Counter)
    gravest: dict[str, Severity] = {}
    for answer in opened:
        counts[answer.rule.id][answer.status] += 1
        so_far = gravest.setdefault(answer.rule.id, answer.severity)
        gravest[answer.rule.id] = min(so_far, answer.severity, key=lambda s: s.rank)
    rules = [
        _Rule(
            r.rule,
            gravest[r.rule.id],
            r.population + sum(r.carried.values()),
            counts[r.rule.id].total(),
            counts[r.rule.id][Status.FAIL],
        )
        for r in result.rules
        if r.rule.id in counts
    ]
    return sorted(rules, key=lambda r: (r.severity.rank, -r.open, r.rule.id))


def _chosen(by_repair: dict[Repair, list[_Rule]], room: int) -> set[str]:
    """The ids of the rules that get a line: each group's worst, then the worst of all."""
    everyone = {rule.rule.id for rules in by_repair.values() for rule in rules}
    if 2 * len(by_repair) + len(everyone) <= room:
        return everyone
    # A group takes a blank line, a heading and a line for the rules that are not shown.
    room -= 3 * len(by_repair)
    first = [rules[0] for rules in by_repair.values()]
    others = [rule for rules in by_repair.values() for rule in rules[1:]]
    others.sort(key=lambda r: (r.severity.rank, -r.open, r.rule.id))
    return {rule.rule.id for rule in [*first, *others][: max(room, len(first))]}


def _group(heading: str, rules: Sequence[_Rule], shown: Sequence[_Rule], names: int) -> list[Text]:
    lines = [Text(), Text(f"{heading}: {sum(rule.open for rule in rules):,}", "bold")]
    for rule in shown:
        severity = rule.severity.value
        not_met = f"  {rule.failed:,} not met" if rule.failed else ""
        lines.append(
            Text.assemble(
                "  ",
                (f"{severity:<9}", STYLES[severity]),
                f"{fitted(rule.rule.id, names):<{names}} ",
                f"{rule.open:>7,} of {rule.population:<7,}",
                not_met,
            )
        )
    if hidden := rules[len(shown) :]:
        count = sum(rule.open for rule in rules) - sum(rule.open for rule in shown)
        lines.append(Text(f"  … {quantity(len(hidden), 'rule')} more, {count:,} open", "dim"))
    return lines


def _first_steps(result: CheckResult, width: int) -> list[Text]:
    """First steps for a registry that has hardly any of the tags; empty for others."""
    missing = passed = 0
    answered: Counter[str] = Counter()
    for examined in result.rules:
        if examined.rule.repair is Repair.TAG:
            missing += examined.counts.get(Status.NOT_EVIDENCED, 0)
            passed += examined.counts.get(Status.PASS, 0)
        elif number := examined.counts.get(Status.PASS, 0):
            answered[examined.rule.id] = number
    # A few tags that match by chance (2 % or less) are no convention.
    if not missing or passed * 50 > missing:
        return []
    lines = [
        Text(),
        Text("Hardly any tag the rules look for is set; that is how most begin.", "bold"),
    ]
    if answered:
        names = ", ".join(name for name, _ in answered.most_common(3))
        count = quantity(answered.total(), "answer")
        lines.append(Text(f"  no tag needed  {count} from MLflow's own records: {names}, …"))
    nearest = _nearest(result)
    if nearest:
        tag, field = nearest[0]
        listed = ", ".join(f'"{escape_control(tag)}" ({field})' for tag, field in nearest[:3])
        tags = ", ".join(f'"{escape_control(name)}"' for name in (tag, *_TAGS[field][:2]))
        lines.append(Text(f"  nearest tags   {listed}"))
        lines.append(Text(f"  to use them    auditreg.toml: [fields] {field} = [{tags}]"))
    lines += [
        Text("  to set one     client = mlflow.MlflowClient()"),
        Text("  on all         for m in client.search_registered_models(max_results=1000):"),
        Text('                     client.set_registered_model_tag(m.name, "gov.owner", "…")'),
    ]
    # What is to be copied stays whole.
    return [
        part for line in lines for part in ([line] if "=" in line.plain else flowed(line, width))
    ]


def _nearest(result: CheckResult) -> list[tuple[str, str]]:
    """(tag, field) pairs that rules came across and that are not mapped yet, most frequent first."""
    seen: Counter[tuple[str, str]] = Counter()
    for answer in result.open:
        field = answer.rule.id.removesuffix("-recorded").replace("-", "_")
        tag = answer.evidence.get("nearest_tag")
        if tag and field in _TAGS:
            seen[str(tag), field] += 1
    return [pair for pair, _ in seen.most_common()]


def _closing(opened: Sequence[Finding], view: CheckView, *, unjudged: bool) -> list[Text]:
    """What the exit code means, and the next command."""
    limit = view.fail_on
    at = f" of severity {limit.value} or worse" if limit and limit.value != "low" else ""
    counted = [a for a in opened if limit and a.severity.rank <= limit.rank]
    meaning = {
        ExitCode.OK: f"nothing open{at}",
        ExitCode.FINDINGS: f"{quantity(len(counted), 'finding')}{at} open",
        ExitCode.ERROR: "not everything could be judged",
        ExitCode.NOTHING: "no version was judged" if unjudged else "there was nothing to judge",
        ExitCode.NOT_VERIFIED: "the record does not verify",
    }[view.code]
    if limit is None and view.code is ExitCode.OK:
        meaning = "open findings do not count (--fail-on none)"
    lines = [Text(f"exit {int(view.code)}: {meaning}", "bold")]
    commands = []
    if not view.everything and opened:
        commands.append("auditreg check --all")
    if opened:
        commands.append(f"auditreg rules show {_first(opened).rule.id}")
    if not opened and view.code is ExitCode.OK:
        commands.append("auditreg report")
    if commands:
        lines.append(Text("next:   " + "   ".join(commands)))
    return lines
