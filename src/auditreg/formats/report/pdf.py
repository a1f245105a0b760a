"""The report as PDF: the same pages on paper, one file for the report and one per model.

Nothing is fetched: the only addresses that work are `data:` and the template's own fonts. The same
report gives the same bytes on the same machine. Dossiers are made in several processes, because
laying out a page is plain computing.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditreg.errors import RenderError
from auditreg.formats.report.template import FONT, INSIDE, Pages, Template, load_template
from auditreg.report.model import Dossier, Identity, Report

if TYPE_CHECKING:
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration

_BASE = "template:///"
"""Where pages and styles are: an address without a scheme is asked for too, not passed over."""

_VARIANT = "pdf/ua-1"
_CHUNK = 4
_ALONE = 6  # fewer dossiers than this are done before a second process has started
_EPOCH, _STAMP = "SOURCE_DATE_EPOCH", "1767225600"  # any fixed moment will do
_STATE = "Nothing was written."


class PdfFormat:
    """Renders a report as PDF files.

    Args:
        template: a bundled template's name, or a folder.
        processes: how many make dossiers; by default one per processor.
    """

    def __init__(self, template: str | Path | None = None, *, processes: int | None = None) -> None:
        self.template = load_template(template)
        self.processes = processes or _processors()
        self.warnings: tuple[str, ...] = ()
        """What the layout engine complained of in the last render; a template's author reads it."""

    def render(self, report: Report) -> dict[str, bytes]:
        """File name to bytes: `report.pdf` and `dossiers/<slug>.pdf`.

        Raises:
            RenderError: the template cannot be filled in, or the layout engine is not usable.
        """
        chunks = [
            report.dossiers[start : start + _CHUNK]
            for start in range(0, len(report.dossiers), _CHUNK)
        ]
        files: dict[str, bytes] = {}
        warnings: list[str] = []
        if self.processes > 1 and len(report.dossiers) >= _ALONE:
            try:
                files, warnings = self._in_parallel(report, chunks)
            except BrokenProcessPool:
                # A caller without an importable main module (a pasted script) cannot spawn.
                files, warnings = {}, []
        if not files:
            files, warnings = _render(self.template, report.identity, None, report.dossiers)
            main, more = _render(self.template, report.identity, report, ())
            files, warnings = {**main, **files}, [*more, *warnings]
        self.warnings = tuple(dict.fromkeys(warnings))
        return {name: files[name] for name in sorted(files, key=lambda name: ("/" in name, name))}

    def _in_parallel(
        self, report: Report, chunks: Sequence[tuple[Dossier, ...]]
    ) -> tuple[dict[str, bytes], list[str]]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.processes, mp_context=context) as pool:
            # The main report goes first: it is the longest piece of work.
            jobs = [pool.submit(_render, self.template, report.identity, report, ())]
            jobs += [
                pool.submit(_render, self.template, report.identity, None, chunk)
                for chunk in chunks
            ]
            files: dict[str, bytes] = {}
            warnings: list[str] = []
            for job in jobs:
                rendered, complaints = job.result()
                files.update(rendered)
                warnings += complaints
        return files, warnings


def _processors() -> int:
    """How many this process may use; only Linux says it of a process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _render(
    template: Template, identity: Identity, report: Report | None, dossiers: Sequence[Dossier]
) -> tuple[dict[str, bytes], list[str]]:
    """The main report, or some dossiers, with what the layout engine complained of: one process's work."""
    pages = Pages(template, identity, "print")
    files = {}
    with _collected_warnings() as warnings, _clock_stopped():
        writer = _pdf_writer(template)
        if report is not None:
            files["report.pdf"] = writer.pdf(pages.main(report))
        for dossier in dossiers:
            files[f"dossiers/{dossier.slug}.pdf"] = writer.pdf(pages.dossier(dossier))
    return files, warnings


@lru_cache(maxsize=1)
def _pdf_writer(template: Template) -> _PdfWriter:
    """One per process: reading the fonts takes as long as a page."""
    return _PdfWriter(template)


class _PdfWriter:
    """WeasyPrint with one template's style sheet, parsed once."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._fonts, self._css = self._load()

    def _load(self) -> tuple[FontConfiguration, CSS]:
        try:
            from weasyprint import CSS
            from weasyprint.text.fonts import FontConfiguration
        except (ImportError, OSError) as error:
            raise RenderError(
                f"PDF needs WeasyPrint and Pango, which cannot be loaded: {error}.",
                state=_STATE,
                hint="Install Pango (apt install libpango-1.0-0 libpangoft2-1.0-0), or choose "
                "--format html, which needs nothing.",
            ) from error
        fonts = FontConfiguration()
        with self._nothing_from_outside():
            css = CSS(
                string=self._template.styles("print"),
                base_url=_BASE,
                url_fetcher=_fetcher(self._template),
                font_config=fonts,
            )
        return fonts, css

    @contextmanager
    def _nothing_from_outside(self) -> Iterator[None]:
        from weasyprint.urls import FatalURLFetchingError

        try:
            yield
        except FatalURLFetchingError as error:  # derives from BaseException, so named here
            raise RenderError(
                f"A page of the template {self._template.header.name} cannot be made: {error}.",
                state=_STATE,
                hint=INSIDE,
            ) from error

    def pdf(self, page: str) -> bytes:
        """A page's PDF."""
        from weasyprint import HTML

        with self._nothing_from_outside():
            document = HTML(string=page, base_url=_BASE, url_fetcher=_fetcher(self._template))
            return bytes(
                document.write_pdf(
                    stylesheets=[self._css], font_config=self._fonts, pdf_variant=_VARIANT
                )
            )


def _fetcher(template: Template) -> Any:
    """Fetches `data:` addresses and the template's fonts; anything else ends the rendering."""
    from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

    class Fetcher(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: dict[str, str] | None = None) -> Any:
            if url.lower().startswith("data:"):
                return super().fetch(url, headers)
            if not FONT.fullmatch(url):
                raise FatalURLFetchingError(f"{url[:200]!r} is not inside the template")
            return URLFetcherResponse(url, template.file(url), {"Content-Type": "font/woff"})

    return Fetcher(allowed_protocols=("data",), fail_on_errors=True)


@contextmanager
def _clock_stopped() -> Iterator[None]:
    """Keeps the time of day out of the files: fontTools stamps every font it cuts with it."""
    given = os.environ.get(_EPOCH)
    os.environ[_EPOCH] = given or _STAMP
    try:
        yield
    finally:
        if given is None:
            del os.environ[_EPOCH]


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Collects what WeasyPrint only logs: a missing glyph or a property it does not know."""
    warnings: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    logger = logging.getLogger("weasyprint")
    listener = Listener(logging.WARNING)
    propagates = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False  # standard error is for the command line's words
    try:
        yield warnings
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagates
