"""Tables of a report's page, read back as a reader sees them."""

from __future__ import annotations

import re
from html import unescape


def table_after(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table behind a heading, its head first, every cell as text."""
    _, found, rest = page.partition(f">{heading}</h3>")
    assert found, heading
    table = rest[: rest.index("</table>")]
    rows = re.findall(r"<tr\b[^>]*>(.*?)</tr>", table, re.DOTALL)
    return [
        [
            " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())
            for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def columns_add_up(page: str) -> int:
    """How many rules of the table of what is not open were asked; each row adds up to its population."""
    head, *rows = table_after(page, "Tested without findings")
    assert head[:3] == ["Requirement tested", "Tested", "Met"]
    for title, examined, *numbers in rows:
        done, population = map(int, examined.split(" of "))
        assert sum(map(int, numbers)) == population, title
        assert done in (population, 0), title
    return len(rows)
