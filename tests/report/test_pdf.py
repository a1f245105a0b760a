from __future__ import annotations

import io
import re
import shutil
import time

import pytest
from pypdf import PdfReader

from auditreg.errors import RenderError
from auditreg.formats.report.template import load_template
from tests.report.conftest import needs_pango

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def pages(pdf_files):
    reader = PdfReader(io.BytesIO(pdf_files[1]["report.pdf"]))
    return [" ".join(page.extract_text().split()) for page in reader.pages]


def test_the_files_are_the_report_and_one_per_model(pdf_files, report):
    assert set(pdf_files[1]) == {"report.pdf", *(f"dossiers/{d.slug}.pdf" for d in report.dossiers)}


def test_the_layout_engine_has_no_complaint(pdf_files):
    assert pdf_files[0].warnings == ()


def test_the_summary_is_on_one_page(pages, report):
    summary = next(text for text in pages if "1 Summary" in text and "Models in use" in text)
    for number in report.numbers:
        assert number.label in summary
        assert number.detail in summary
        assert re.search(rf"\b{number.value} ?{number.label}", summary)


def test_every_page_says_where_it_is(pages, report):
    for index, text in enumerate(pages[1:], start=2):
        assert f"page {index} of {len(pages)}" in text
        assert "Draft, not issued" in text


def heading_page(pages, number, title):
    numbers = [
        i + 1 for i, text in enumerate(pages) if re.search(rf"\b{number} {title}(?! by)", text)
    ]
    return numbers[-1] if numbers[0] == 2 else numbers[0]  # page 2 is the contents


def test_the_contents_and_the_summary_point_at_the_right_pages(pages):
    contents = pages[1]
    summary = next(text for text in pages if "1 Summary" in text and "Models in use" in text)
    sections = re.findall(r"(\d+) (Inventory|Open findings|Which records bear on which clause|"
                          r"How to check this report|Annex: dossiers) (\d+)", contents)  # fmt: skip
    assert len(sections) == 5
    actual = {}
    for number, title, printed in sections:
        actual[title] = heading_page(pages[2:], number, title) + 2
        assert int(printed) == actual[title], title
    assert f"of 8 registered page {actual['Inventory']}" in summary
    assert f"page {actual['Open findings']}" in summary


def test_a_rule_s_details_are_on_the_page_the_summary_names(pages):
    summary = next(text for text in pages if "1 Summary" in text and "Models in use" in text)
    printed = int(re.search(r"No approver is recorded .*? page (\d+)", summary)[1])
    assert "Rule approver-recorded" in pages[printed - 1]


def test_it_is_tagged_titled_and_has_bookmarks(pdf_files, report):
    reader = PdfReader(io.BytesIO(pdf_files[1]["report.pdf"]))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en-GB"
    assert reader.metadata.title == f"{report.identity.title}, {report.identity.period}"
    titles = [item["/Title"] for item in reader.outline if not isinstance(item, list)]
    assert any("Inventory" in title for title in titles)


def test_a_dossier_holds_findings_fields_and_lineage(pdf_files, report):
    dossier = next(d for d in report.dossiers if d.findings and d.row.in_use)
    reader = PdfReader(io.BytesIO(pdf_files[1][f"dossiers/{dossier.slug}.pdf"]))
    text = " ".join(" ".join(page.extract_text().split()) for page in reader.pages)
    for finding in dossier.findings:
        assert f"{finding.id or 'Finding'}: {finding.rule.finding}" in text
    assert "Lineage" in text
    assert "Record of the governance fields" in text
    assert dossier.row.fields["purpose"] in text


@pytest.mark.slow
def test_the_same_report_gives_the_same_bytes_in_any_number_of_processes(pdf_files, report):
    from dataclasses import replace

    from auditreg.formats.report.pdf import PdfFormat

    few = replace(report, dossiers=report.dossiers[:1])
    again = PdfFormat(processes=1).render(few)
    name = f"dossiers/{few.dossiers[0].slug}.pdf"
    assert again[name] == pdf_files[1][name]
    time.sleep(1.1)  # what is stamped with the second would differ now
    assert again == PdfFormat(processes=1).render(few)


def test_hostile_text_is_inert_on_paper(hostile_report):
    needs_pango()
    from dataclasses import replace

    from auditreg.formats.report.pdf import PdfFormat

    bad = tuple(d for d in hostile_report.dossiers if "script" in d.row.model)
    made = PdfFormat(processes=1).render(replace(hostile_report, dossiers=bad))
    text = PdfReader(io.BytesIO(made[f"dossiers/{bad[0].slug}.pdf"])).pages[0].extract_text()
    assert "<script>" in text
    assert "U+202E" in text


@pytest.mark.parametrize(
    "outside",
    [
        'p { background: url("http://127.0.0.1:9/x.png") }',
        'p { background: url("file:///etc/passwd") }',
        '@font-face { font-family: x; src: url("template:///fonts/../template.toml") }',
        '@import url("https://example.invalid/x.css");',
    ],
)
def test_nothing_outside_the_template_is_fetched(tmp_path, report, outside):
    needs_pango()
    from dataclasses import replace

    from auditreg.formats.report.pdf import PdfFormat

    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    styles = folder / "fonts-print.css"
    styles.write_text(outside + "\n" + styles.read_text())
    with pytest.raises(RenderError) as caught:
        PdfFormat(folder, processes=1).render(replace(report, dossiers=()))
    assert caught.value.state == "Nothing was written."


def test_without_pango_it_says_what_to_install(report, monkeypatch):
    import sys

    from auditreg.formats.report import pdf
    from auditreg.formats.report.pdf import PdfFormat

    pdf._pdf_writer.cache_clear()  # an earlier test may have loaded it in this process
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(RenderError, match="Pango") as caught:
        PdfFormat(processes=1).render(report)
    assert "html" in caught.value.hint


def test_a_picture_beside_the_page_is_refused_and_not_left_out(tmp_path, report):
    needs_pango()
    from dataclasses import replace

    from auditreg.formats.report.pdf import PdfFormat

    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    (folder / "logo.png").write_bytes(b"")
    page = folder / "base.html.j2"
    page.write_text(page.read_text().replace("</body>", '<img src="logo.png" alt="x"></body>'))
    with pytest.raises(RenderError, match=r"'logo\.png' is not inside") as refused:
        PdfFormat(folder, processes=1).render(replace(report, dossiers=()))
    assert "data: addresses" in refused.value.hint


def test_a_font_with_a_dot_in_its_name_is_taken(tmp_path, report):
    needs_pango()
    from dataclasses import replace

    from auditreg.formats.report.pdf import PdfFormat

    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    styles = folder / "fonts-print.css"
    styles.write_text(styles.read_text().replace("Sans-Regular.woff", "Sans.Regular.woff"))
    (folder / "fonts/IBMPlexSans-Regular.woff").rename(folder / "fonts/IBMPlexSans.Regular.woff")
    made = PdfFormat(folder, processes=1)
    assert made.render(replace(report, dossiers=()))["report.pdf"].startswith(b"%PDF")
    assert made.warnings == ()
