"""Templates: a folder each, with pages, styles and fonts, and what they are filled with.

Everything a page prints passes through one place that writes hidden characters out and escapes the
rest, so that a page cannot forget it. Templates are code of whoever wrote them and run in a
sandbox; a mistake in one says where it is.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from auditreg import resources
from auditreg.config.calendar import zone
from auditreg.errors import RenderError
from auditreg.models import Certainty, Grade, Severity, Status
from auditreg.report import wording
from auditreg.report.model import Dossier, Identity, Report
from auditreg.words import evidence_in_words, quantity

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

Medium = Literal["screen", "print"]

DEFAULT = "regulator"
"""The template used where none is named."""

FONT = re.compile(r"fonts/[A-Za-z0-9._-]+\.(?:woff2|woff|otf|ttf)")
"""The files of a template that its styles may name."""

INSIDE = (
    "Put fonts into the template's folder fonts/ (woff2, woff, otf, ttf), and pictures and styles "
    "into data: addresses."
)
_ADDRESS = re.compile(
    r"""(?i)url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"'\s]*))\s*\)|@import\s+["']([^"']*)"""
)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2})?")
_CODE = re.compile(r"`([^`]+)`")
_STATE = "Nothing was written."


class _Styles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    screen: tuple[str, ...]
    print: tuple[str, ...]


class _Pages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    main: str
    dossier: str


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    title: str
    version: str
    pages: _Pages
    styles: _Styles


@dataclass(frozen=True)
class Template:
    """A template's folder, read. `label` is what a report is sealed with."""

    folder: Path
    header: _Header

    @property
    def label(self) -> str:
        """`regulator 1`."""
        return f"{self.header.name} {self.header.version}"

    def file(self, name: str) -> bytes:
        """A file of the template; never one outside its folder.

        Raises:
            RenderError: there is no such file in the folder.
        """
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
            raise RenderError(
                f"The template {self.header.name} has no file {name}.",
                state=_STATE,
                hint=f"Look into {self.folder / 'template.toml'}.",
            )
        return path.read_bytes()

    def styles(self, medium: Medium) -> str:
        """The style sheets of a medium, one after the other; the screen's with the fonts inside.

        Raises:
            RenderError: one is missing, is no text, or asks for what is not inside the template.
        """

        def checked(match: re.Match[str]) -> str:
            address = next(filter(None, match.groups()), "")
            if address.lower().startswith(("data:", "#")):
                return match[0]
            if not FONT.fullmatch(address):
                raise RenderError(
                    f"The styles of the template {self.header.name} ask for {address[:200]!r}.",
                    state=_STATE,
                    hint=INSIDE,
                )
            font = self.file(address)
            if medium == "print":
                return match[0]
            return f'url("data:font/woff2;base64,{base64.b64encode(font).decode()}")'

        names = getattr(self.header.styles, medium)
        return _ADDRESS.sub(checked, _COMMENT.sub("", "\n".join(map(self._text, names))))

    def _text(self, name: str) -> str:
        try:
            return self.file(name).decode()
        except UnicodeDecodeError as error:
            raise self.not_text(name) from error

    def not_text(self, name: str) -> RenderError:
        """The error for a file that should be text."""
        return RenderError(
            f"The file {name} of the template {self.header.name} is not UTF-8 text.",
            state=_STATE,
            hint="Save it in UTF-8.",
        )


def load_template(name: str | Path | None = None) -> Template:
    """A template by the name of a bundled one, or by its folder.

    Raises:
        RenderError: there is no such template, or its template.toml is not as it must be.
    """
    folder = _folder(name)
    path = folder / "template.toml"
    try:
        header = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Header)
    except FileNotFoundError as error:
        raise RenderError(
            f"There is no report template {str(name or DEFAULT)!r}.",
            state=_STATE,
            hint=f"Bundled: {', '.join(_bundled())}. Or give a folder with a template.toml.",
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RenderError(
            f"{path} cannot be used: {error}.",
            state=_STATE,
            hint="Compare it with the bundled template's template.toml.",
        ) from error
    return Template(folder, header)


def _folder(name: str | Path | None) -> Path:
    if name is None:
        return resources.templates() / DEFAULT
    if isinstance(name, str) and name in _bundled():
        return resources.templates() / name
    return Path(name)


def _bundled() -> list[str]:
    return sorted(path.parent.name for path in resources.templates().glob("*/template.toml"))


class Pages:
    """The pages of one report in one medium, filled in."""

    def __init__(self, template: Template, identity: Identity, medium: Medium) -> None:
        self.template, self.identity, self.medium = template, identity, medium

    def main(self, report: Report) -> str:
        """The main report."""
        return self._fill(self.template.header.pages.main, {"report": report})

    def dossier(self, dossier: Dossier) -> str:
        """One model's dossier."""
        return self._fill(self.template.header.pages.dossier, {"dossier": dossier})

    def _fill(self, name: str, values: Mapping[str, object]) -> str:
        import jinja2

        try:
            page = self._environment.get_template(name)
            return page.render(**values)
        except jinja2.TemplateNotFound as error:
            raise RenderError(
                f"The template {self.template.header.name} has no file {error.name}.",
                state=_STATE,
                hint=f"It must be in {self.template.folder}.",
            ) from error
        except jinja2.TemplateSyntaxError as error:
            raise self._wrong(error.name or name, error.lineno, error.message or "") from error
        except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError,
                AttributeError) as error:  # fmt: skip
            place, line = _place(error, name, self.template.folder)
            raise self._wrong(place, line, str(error)) from error

    def _wrong(self, name: str, line: int, message: str) -> RenderError:
        return RenderError(
            f"The template {self.template.header.name} cannot be filled in: "
            f"{name}, line {line}: {message.rstrip('.')}.",
            state=_STATE,
            hint="Correct that line; the bundled template shows what a page may use.",
        )

    @cached_property
    def _environment(self) -> Environment:
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        not_text = self.template.not_text

        class Loader(jinja2.FileSystemLoader):
            def get_source(self, environment: Environment, template: str) -> Any:
                try:
                    return super().get_source(environment, template)
                except UnicodeDecodeError as error:
                    raise not_text(template) from error

        environment = ImmutableSandboxedEnvironment(
            loader=Loader(self.template.folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.update(self._globals())
        environment.filters.update(self._filters())
        return environment

    def _globals(self) -> dict[str, Any]:
        """What every page may name: the report's identity, charts and words."""
        from markupsafe import Markup

        from auditreg.formats.report import charts
        from auditreg.formats.report.lifecycle import lifecycle_chart

        tz = self.identity.timezone
        screen = self.medium == "screen"
        return {
            "identity": self.identity,
            "screen": screen,
            "extension": "html" if screen else "pdf",
            # The style sheet is the template's own text; it must not close its element.
            "styles": Markup(self.template.styles("screen")) if screen else Markup(),  # noqa: S704
            "severities": list(Severity),
            "statuses": {status.name.lower(): status for status in Status},
            "grades": list(Grade),
            "severity_chart": _markup(charts.severity_chart),
            "timeline": lambda lanes, start, end, name, basis: Markup(  # noqa: S704 - made of numbers and escaped text
                charts.timeline(lanes, start, end, tz, name=name, basis=basis)
            ),
            "lifecycle_chart": lambda life, model, name: Markup(  # noqa: S704 - made of numbers and escaped text
                lifecycle_chart(
                    life,
                    self.identity.period_start,
                    self.identity.period_end,
                    tz,
                    name=name,
                    model=model,
                )
            ),
            "quantity": quantity,
            "who": wording.who,
            "evidence": lambda finding: evidence_in_words(
                finding.evidence, finding.moments, zone(tz)
            ),
        }

    def _filters(self) -> dict[str, Any]:
        """How pages write moments, numbers and texts."""
        tz = self.identity.timezone
        return {
            "moment": lambda at: _unbroken_dates(wording.moment(at, tz)),
            "day": lambda at: _unbroken_dates(wording.day(at, tz)),
            "interval": lambda when: _unbroken_dates(wording.interval(when, tz)),
            "whole": _unbroken_dates,
            "ticks": _inline_code,
            "end_of": lambda at: wording.end_of(at, tz),
            "long_day": wording.long_day,
            "grouped": wording.grouped,
            "offset": wording.offset,
            "clip": wording.clip,
            "lines": _lines,
            "certainty": lambda name: Certainty(name).words,
            "number": _number,
        }


def _finalize(value: object) -> object:
    """What is printed for a value: no hidden character acts, and nothing is never `None`."""
    if value is None:
        return "–"
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return wording.visible(value)
    return value


def _lines(text: str | None) -> Markup:
    """Text of several lines as lines, everything in it inert."""
    from markupsafe import Markup, escape

    shown = wording.visible(wording.clip(text or ""), lines=True).strip().splitlines()
    return Markup("<br>").join(escape(line) for line in shown)


def _inline_code(text: str) -> Markup:
    """A rule's text, its `code` as code."""
    from markupsafe import Markup, escape

    shown = str(escape(wording.visible(wording.clip(text, 500))))
    return Markup(_CODE.sub(r"<code>\1</code>", shown))  # noqa: S704 - escaped above


def _unbroken_dates(text: str) -> Markup:
    """Text in which no line ends inside a date or a moment."""
    from markupsafe import Markup, escape

    shown = str(escape(wording.visible(text)))
    return Markup(_DATE.sub(r'<span class="nowrap">\g<0></span>', shown))  # noqa: S704 - escaped above


def _number(value: float | None) -> str:
    """A metric as people read it: up to six digits, and words where it is no number."""
    if value is None:
        return "not a number"
    return f"{value:,.6g}" if abs(value) < 1e15 else f"{value:.6g}"


def _markup(draw: Any) -> Any:
    from markupsafe import Markup

    return lambda *args: Markup(draw(*args))  # noqa: S704 - made of numbers and escaped text


def _place(error: BaseException, name: str, folder: Path) -> tuple[str, int]:
    """The innermost template line in a traceback."""
    place, line = name, 0
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder):
            place, line = str(file.relative_to(folder)), trace.tb_lineno
        trace = trace.tb_next
    return place, line


__all__ = ["DEFAULT", "Medium", "Pages", "Template", "load_template"]
