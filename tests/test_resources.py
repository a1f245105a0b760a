"""Where the files that are not code are found, in a checkout and in an installed package."""

import pytest

from auditreg import resources


def test_built_in_folders_are_in_the_package():
    assert list(resources.rules().glob("*.sql"))
    assert list(resources.frameworks().glob("*.toml"))


def test_the_checkout_s_templates_are_found():
    assert resources.templates() == resources._CHECKOUT / "templates"
    assert resources.templates().is_dir()


def test_packaged_templates_come_first(tmp_path, monkeypatch):
    package = tmp_path / "checkout" / "src" / "auditreg"
    (package / "templates").mkdir(parents=True)
    (tmp_path / "checkout" / "templates").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path / "checkout")
    assert resources.templates() == package / "templates"


def test_an_incomplete_installation_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"rules/library is not in .*pip install"):
        resources.rules()
    with pytest.raises(FileNotFoundError, match=r"templates is not in .* or "):
        resources.templates()
