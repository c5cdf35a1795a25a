#!/usr/bin/env python3
"""Turns what a terminal shows into a self-contained SVG, readable on light and dark pages.

    tmux capture-pane -e -p -t SESSION | scripts/terminal-svg.py > docs/images/release.svg

Reads the text with its escape sequences (colours and bold; others are dropped) and needs nothing but Python.
"""

import html
import re
import sys
import unicodedata

FONT_SIZE, LINE, WIDTH, MARGIN = 14, 20, 8.43, 16
# Colours of ECMA-48 (SGR 30 to 37, 90 to 97), as classes: a style sheet has them twice, for light and dark.
NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
STYLE = """
text { font: %dpx ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
.page { fill: #f6f8fa; stroke: #d0d7de } .t { fill: #1f2328 } .b { font-weight: 600 } .d { opacity: .65 }
.red { fill: #cf222e } .green { fill: #1a7f37 } .yellow { fill: #8a6100 } .blue { fill: #0969da }
.magenta { fill: #8250df } .cyan { fill: #1b7c83 } .black { fill: #57606a } .white { fill: #6e7781 }
@media (prefers-color-scheme: dark) {
.page { fill: #161b22; stroke: #30363d } .t { fill: #e6edf3 }
.red { fill: #ff7b72 } .green { fill: #3fb950 } .yellow { fill: #d29922 } .blue { fill: #79c0ff }
.magenta { fill: #d2a8ff } .cyan { fill: #56d4dd } .black { fill: #8b949e } .white { fill: #b1bac4 }
}
""" % FONT_SIZE
ESCAPE = re.compile(r"\x1b(?:\[([0-9;:]*)([A-Za-z])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>])")


def apply(style, codes):
    """The style after an SGR sequence."""
    style = dict(style)
    for code in [int(part or 0) for part in codes.replace(":", ";").split(";")]:
        if code == 0:
            style = {}
        elif code == 1:
            style["b"] = True
        elif code == 2:
            style["d"] = True
        elif code == 22:
            style.pop("b", None)
            style.pop("d", None)
        elif 30 <= code <= 37:
            style["colour"] = NAMES[code - 30]
        elif 90 <= code <= 97:
            style["colour"] = NAMES[code - 90]
        elif code == 39:
            style.pop("colour", None)
    return style


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def runs(line, style):
    """Splits a line into (text, style) and returns them with the style at its end."""
    parts, at = [], 0
    for escape in ESCAPE.finditer(line):
        parts.append((line[at : escape.start()], style))
        if escape.group(2) == "m":
            style = apply(style, escape.group(1))
        at = escape.end()
    parts.append((line[at:], style))
    return [(text, look) for text, look in parts if text], style


def main():
    lines, style = [], {}
    for line in sys.stdin.read().split("\n"):
        parts, style = runs(line.rstrip(), style)
        lines.append(parts)
    while lines and not any(text.strip() for text, _ in lines[-1]):
        lines.pop()
    widest = max((sum(columns(text) for text, _ in parts) for parts in lines), default=0)
    width, height = round(widest * WIDTH + 2 * MARGIN), len(lines) * LINE + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
    ]
    for row, parts in enumerate(lines):
        column = 0
        for text, look in parts:
            cells = columns(text)
            if text.strip():
                names = ["t", "b" if look.get("b") else "", "d" if look.get("d") else "", look.get("colour", "")]
                # Each run is placed and stretched by itself: the columns stay straight in any font.
                x, y = round(MARGIN + column * WIDTH, 2), MARGIN + row * LINE + FONT_SIZE
                length = round(cells * WIDTH, 2)
                out.append(
                    f'<text class="{" ".join(name for name in names if name)}" x="{x}" y="{y}" '
                    f'textLength="{length}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>'
                )
            column += cells
    print("\n".join([*out, "</svg>"]))


main()
