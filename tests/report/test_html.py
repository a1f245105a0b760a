from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from auditreg.errors import RenderError
from auditreg.formats.report.html import HtmlFormat
from auditreg.formats.report.template import load_template
from tests.report.firm import HOSTILE
from tests.report.tables import columns_add_up, table_after


class Page(HTMLParser):
    """Elements, headings and addresses of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.levels, self.ids, self.links, self.addresses = [], [], set(), [], []
        self.open = []
        self.feed(text)
        self.close()

    VOID = frozenset({"meta", "br", "col", "link", "img", "rect", "line", "path"})

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        values = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if "id" in values:
            assert values["id"] not in self.ids, values["id"]
            self.ids.add(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        self.addresses += [values[name] for name in ("src", "href", "action") if name in values]
        assert not [name for name in values if name.startswith("on")]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def files(report):
    return HtmlFormat().render(report)


def test_the_files_are_the_report_and_one_per_model(files, report):
    assert set(files) == {"report.html", *(f"dossiers/{d.slug}.html" for d in report.dossiers)}


def test_every_page_is_well_formed_and_stands_alone(files):
    for name, content in files.items():
        text = content.decode()
        page = Page(text)
        assert page.open == [], name
        assert not {"script", "iframe", "object", "embed", "link", "form"} & set(page.tags)
        for address in page.addresses:
            assert re.fullmatch(r"#[\w-]+|dossiers/[a-z0-9-]+\.html|\.\./report\.html", address)
        for link in page.links:
            assert not link.startswith("#") or link[1:] in page.ids, link
        assert 'lang="en-GB"' in text
        outside = re.findall(r"url\((?!\"data:|#)[^)]*\)", text)
        assert [url for url in outside if not re.fullmatch(r"url\(#[a-z]\d\)", url)] == []


def test_headings_are_in_order(files):
    for content in files.values():
        levels = Page(content.decode()).levels
        assert levels[0] == 1
        for before, after in itertools.pairwise(levels):
            assert after <= before + 1 or (before, after) == (1, 3)


def test_the_same_report_gives_the_same_bytes(files, report):
    assert HtmlFormat().render(report) == files


def test_every_summary_number_is_on_the_page(files, report):
    text = files["report.html"].decode()
    for number in report.numbers:
        card = re.search(rf'id="n-{number.id}".*?</div>', text, re.DOTALL)[0]
        assert ("not known" if number.value is None else f">{number.value}<") in card


def test_hostile_text_comes_out_inert_and_visible(hostile_report):
    files = HtmlFormat().render(hostile_report)
    for name, content in files.items():
        text = content.decode()
        Page(text)
        assert "<script" not in text, name
        assert "<b>bold" not in text
        assert "\u202e" not in text
        assert "7777" not in text
    text = files["report.html"].decode()
    assert "&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;" in text
    assert "‹U+202E›" in text
    assert "{{ 1111*7 }}" in text


@pytest.mark.integration
def test_a_browser_runs_nothing_of_it(hostile_report, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no browser to try the page in")
        pytest.skip("no chromium on this machine")
    files = HtmlFormat().render(hostile_report)
    slug = next(d.slug for d in hostile_report.dossiers if d.row.model == HOSTILE)
    for name in ("report.html", f"dossiers/{slug}.html"):
        page = tmp_path / "page.html"
        page.write_bytes(files[name])
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
             f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
            capture_output=True, check=True, timeout=50,
        )  # fmt: skip
        title = re.search(r"<title>(.*?)</title>", done.stdout.decode(), re.DOTALL)[1]
        assert title != "owned"
        assert b"<script" not in done.stdout


def test_a_mistake_in_a_template_names_the_file_and_the_line(tmp_path, report):
    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    page = folder / "main.html.j2"
    lines = page.read_text().splitlines()
    lines[40] = "{{ identity.no_such_thing }}"
    page.write_text("\n".join(lines))
    with pytest.raises(RenderError, match=r"main\.html\.j2, line 41") as caught:
        HtmlFormat(folder).render(report)
    assert caught.value.state == "Nothing was written."
    assert caught.value.hint


def test_a_template_that_does_not_parse_names_the_line(tmp_path, report):
    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    (folder / "main.html.j2").write_text("one\n{% if %}\n")
    with pytest.raises(RenderError, match=r"main\.html\.j2, line 2"):
        HtmlFormat(folder).render(report)


@pytest.mark.parametrize(
    "attack",
    ["{{ ''.__class__.__mro__ }}", "{{ identity.__init__.__globals__ }}", "{% include '../x' %}"],
)
def test_a_template_is_kept_in_its_sandbox(tmp_path, report, attack):
    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    (tmp_path / "x").write_text("outside")
    (folder / "main.html.j2").write_text(attack)
    with pytest.raises(RenderError):
        HtmlFormat(folder).render(report)


def test_a_missing_template_says_which_there_are(tmp_path):
    with pytest.raises(RenderError, match="no report template 'letter'") as caught:
        HtmlFormat("letter")
    assert "regulator" in caught.value.hint
    (tmp_path / "template.toml").write_text('name = "x"\n')
    with pytest.raises(RenderError, match="cannot be used"):
        HtmlFormat(tmp_path)


def test_a_template_without_its_page_says_so(tmp_path, report):
    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    (folder / "dossier.html.j2").unlink()
    with pytest.raises(RenderError, match=r"no file dossier\.html\.j2"):
        HtmlFormat(folder).render(report)


def test_a_style_sheet_outside_the_folder_is_refused(tmp_path, report):
    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    settings = folder / "template.toml"
    settings.write_text(settings.read_text().replace('"screen.css"', '"../../secret.css"'))
    (tmp_path.parent / "secret.css").write_text("x")
    with pytest.raises(RenderError, match="has no file"):
        HtmlFormat(folder).render(report)


@pytest.mark.parametrize("file", ["screen.css", "main.html.j2"])
def test_a_file_of_a_template_that_is_no_text_is_named(tmp_path, report, file):
    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    (folder / file).write_bytes(b"/* caf\xe9 */")
    with pytest.raises(RenderError, match=f"{file} of the template regulator is not UTF-8"):
        HtmlFormat(folder).render(report)


OUTSIDE = (
    'p { background: url("logo.png") }',
    "p { background: url(logo.png) }",
    "p { background: url('fonts/logo.png') }",
    '@import "more.css";',
    '@import url("https://example.invalid/x.css");',
    '@font-face { font-family: x; src: url("fonts/../template.toml") }',
)


@pytest.mark.parametrize("medium", ["screen", "print"])
@pytest.mark.parametrize("outside", OUTSIDE)
def test_styles_ask_for_the_same_files_in_every_medium(tmp_path, medium, outside):
    folder = tmp_path / "mine"
    shutil.copytree(load_template().folder, folder)
    styles = folder / "common.css"
    styles.write_text(outside + styles.read_text())
    with pytest.raises(RenderError, match="ask for") as refused:
        load_template(folder).styles(medium)
    assert "fonts/" in refused.value.hint
    shutil.copy(next((folder / "fonts").glob("*.woff")), folder / "fonts" / "Own.v2-Bold.woff")
    styles.write_text(
        "/* url(logo.png) */ @font-face { font-family: x; src: url(fonts/Own.v2-Bold.woff) }"
        "p { background: url('data:image/png;base64,AAAA') }"
    )
    assert load_template(folder).styles(medium)


def test_columns_add_up_and_what_was_not_asked_stands_apart(files, report):
    page = files["report.html"].decode()
    silent = [row for row in report.rules if row.not_asked and not row.findings]
    asked = [row for row in report.rules if not row.not_asked and not row.findings]
    assert columns_add_up(page) == len(asked) > 0
    head, *rows = table_after(page, "Not asked")
    assert head == ["What was not asked", "Why"]
    assert [title for title, _ in rows] == [row.rule.title for row in silent]
    assert all(why.endswith(".") for _, why in rows)
    assert {row.rule.id for row in silent} >= {"promotion-in-window", "engine-runs-live-version"}
    for row in report.rules:
        assert sum(row.counts.values()) == row.population == row.examined, row.rule.id
