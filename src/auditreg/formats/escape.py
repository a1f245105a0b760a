"""Making text that came from a registry harmless where it is shown.

Names, tags and descriptions are written by whoever can write to MLflow. A terminal obeys escape
sequences, a spreadsheet runs formulas, a page follows links: none of them may be steered by a tag.
"""

from __future__ import annotations

import json
import re

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#+!|~&^$]|:(?=//)|(?i:(?<=www)\.)|(?m:^[-=]+)")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


_ACTING = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e\u200b"
    "\u200e-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f"
    "]"
)
"""Characters that act instead of being seen: Unicode's categories Cc, Cf, Cs, Zl and Zp.

Control and format characters, bidirectional overrides among them, halves of surrogate pairs, line
and paragraph separators. Written out because asking for each character's category takes a quarter
of a second; a test compares the two. The zero-width joiner and non-joiner are left out: Persian,
Indic scripts and emoji are written with them.
"""


def escape_control(text: str, *, keep: str = "") -> str:
    r"""The text on one line with every acting character shown as its escape (`\x1b`, `\u202e`).

    Args:
        text: any text.
        keep: characters that are left as they are, such as a line feed.
    """
    if text.isascii() and text.isprintable():
        return text
    return _ACTING.sub(lambda m: m[0] if m[0] in keep else _escape(m[0]), text)


def _escape(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escape_json(document: str) -> str:
    """A JSON document with acting characters escaped as JSON does; it decodes to the same."""
    if document.isascii() and "\x7f" not in document:
        return document

    def escaped(match: re.Match[str]) -> str:
        if match[0] in "\n\t\r":
            return match[0]  # layout: inside a JSON string these are always escaped already
        utf16 = match[0].encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{utf16[i : i + 4]}" for i in range(0, len(utf16), 4))

    return _ACTING.sub(escaped, document)


def json_bytes(document: object) -> bytes:
    """A document as indented JSON, ending in a line feed; acting characters are escaped."""
    return (escape_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n").encode()


def spreadsheet(text: str) -> str:
    """Text as a spreadsheet cell: what would be run as a formula gets an apostrophe before it."""
    safe = escape_control(text, keep="\n\t")
    return f"'{safe}" if text.startswith(_FORMULA) else safe


def markdown(text: str) -> str:
    """Text as part of a line of GitHub-flavoured Markdown, showing exactly what it holds.

    Entities are text to Markdown, never markup, in table cells too. A word joiner after `@` keeps
    a mention from notifying somebody and an address from becoming a link.
    """
    quoted = _MARKDOWN.sub(lambda m: "".join(f"&#{ord(c)};" for c in m[0]), escape_control(text))
    return quoted.replace("@", "@&#8288;")
