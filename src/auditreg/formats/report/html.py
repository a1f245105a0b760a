"""The report as HTML: one file that stands alone, and one per model.

Fonts and pictures are inside each file; nothing is fetched and no script is needed or allowed.
"""

from __future__ import annotations

from pathlib import Path

from auditreg.formats.report.template import Pages, load_template
from auditreg.report.model import Report


class HtmlFormat:
    """Renders a report as self-contained HTML files."""

    def __init__(self, template: str | Path | None = None) -> None:
        self.template = load_template(template)

    def render(self, report: Report) -> dict[str, bytes]:
        """File name to bytes: `report.html` and `dossiers/<slug>.html`.

        Raises:
            RenderError: the template cannot be filled in. Nothing is written in any case.
        """
        pages = Pages(self.template, report.identity, "screen")
        files = {"report.html": pages.main(report).encode()}
        for dossier in report.dossiers:
            files[f"dossiers/{dossier.slug}.html"] = pages.dossier(dossier).encode()
        return files
