"""What the pages outside docs/ promise; `make docs` checks the links inside it."""

import re
from pathlib import Path

import pytest

from lstm_apps import registry

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"])
def test_every_link_to_a_file_leads_to_one(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]


def test_the_readme_has_one_row_of_figures_for_every_application():
    linked = re.findall(r"^\| \[([\w-]+)\]\(docs/applications/([\w-]+)\.md\)", README, re.MULTILINE)
    assert all(name == card for name, card in linked)
    assert sorted(name for name, _ in linked) == sorted(registry.applications())


def test_the_readme_stays_short():
    assert len(README.splitlines()) <= 150
