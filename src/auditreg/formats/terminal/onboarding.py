"""Help for a registry in which no tag that the rules look for is set: where most firms start."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from auditreg.fields import FIELDS
from auditreg.formats.escape import escape_control
from auditreg.formats.terminal.layout import cut
from auditreg.models import Repair, Status, quantity

if TYPE_CHECKING:
    from auditreg.models import CheckResult

_TAGS = {known.id: known.tags for known in FIELDS}


def first_steps(result: CheckResult, width: int) -> list[Text]:
    """What to do where no rule about tags has found one; nothing otherwise."""
    missing = found = 0
    answered: Counter[str] = Counter()
    for examined in result.rules:
        if examined.rule.repair is Repair.TAG:
            missing += examined.counts.get(Status.NOT_EVIDENCED, 0)
            found += examined.counts.get(Status.PASS, 0)
        elif passed := examined.counts.get(Status.PASS, 0):
            answered[examined.rule.id] = passed
    # A handful of lucky names is no convention either.
    if not missing or found * 50 > missing:
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
        wanted = ", ".join(f'"{escape_control(name)}"' for name in (tag, *_TAGS[field][:2]))
        lines.append(Text(f"  nearest tags   {listed}"))
        lines.append(Text(f"  to use them    auditreg.toml: [fields] {field} = [{wanted}]"))
    lines += [
        Text("  to set one     client = mlflow.MlflowClient()"),
        Text("  on all         for m in client.search_registered_models(max_results=1000):"),
        Text('                     client.set_registered_model_tag(m.name, "gov.owner", "…")'),
    ]
    # What is to be copied stays whole.
    return [line if "=" in line.plain else cut(line, width) for line in lines]


def _nearest(result: CheckResult) -> list[tuple[str, str]]:
    """(tag, field) pairs that rules came across and that are not mapped yet, most frequent first."""
    seen: Counter[tuple[str, str]] = Counter()
    for answer in result.open:
        field = answer.rule.id.removesuffix("-recorded").replace("-", "_")
        tag = answer.evidence.get("nearest_tag")
        if tag and field in _TAGS:
            seen[str(tag), field] += 1
    return [pair for pair, _ in seen.most_common()]
