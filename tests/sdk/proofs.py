#!/usr/bin/env python3
"""Prints what the SDKs' tests proved, and compares it with docs/proofs.md.

    tests/sdk/proofs.py LANGUAGE FILE            after the tests of one language; fails on a difference
    tests/sdk/proofs.py LANGUAGE FILE --write    writes that language's rows into the page

FILE has what the tests that passed said: client, platform, credential and aspect, one line each.
"""

import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/proofs.md"
ASPECTS = ["whole", "streamed", "tools", "errors"]
# Rows of a vendor's SDK have no credential: it speaks to the simulated platform itself.
VENDORS = "| SDK | platform and face | whole | streamed | tools | errors |"
CLIENTS = "| client | platform | credential | whole | streamed | tools | errors |"


def is_javascript(client):
    return client.endswith("(JavaScript)")


def proven(file):
    """Which aspects were proven of each client, platform and credential."""
    rows = {}
    for line in Path(file).read_text().splitlines():
        client, platform, credential, aspect = line.split("\t")
        assert aspect in ASPECTS, f"{aspect} is no aspect"
        rows.setdefault((client, platform, credential), set()).add(aspect)
    return rows


def on_page():
    """The same, as the page has it."""
    rows, head = {}, None
    for line in PAGE.read_text().splitlines():
        if line in (VENDORS, CLIENTS):
            head = line
        elif head and line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            names = cells[: -len(ASPECTS)]
            names += [""] * (3 - len(names))
            marks = zip(ASPECTS, cells[-len(ASPECTS):])
            rows[tuple(names)] = {aspect for aspect, mark in marks if mark}
        elif not line:
            head = None
    return rows


def table(head, rows):
    lines = [head, "|" + " --- |" * (head.count("|") - 1)]
    for names, aspects in sorted(rows.items(), key=lambda row: tuple(name.lower() for name in row[0])):
        cells = [name for name in names if name] + ["x" if aspect in aspects else "" for aspect in ASPECTS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tables(rows):
    vendors = {names: aspects for names, aspects in rows.items() if not names[2]}
    clients = {names: aspects for names, aspects in rows.items() if names[2]}
    return table(VENDORS, vendors), table(CLIENTS, clients)


def write(rows):
    text = PAGE.read_text()
    for head, made in zip((VENDORS, CLIENTS), tables(rows)):
        start = text.index(head)
        end = text.find("\n\n", start)
        text = text[:start] + made + (text[end:] if end >= 0 else "\n")
    PAGE.write_text(text)


def differences(found, wanted):
    for names in sorted(found.keys() | wanted.keys()):
        for aspect in ASPECTS:
            here, there = aspect in found.get(names, ()), aspect in wanted.get(names, ())
            if here != there:
                what = ", ".join(name for name in (*names, aspect) if name)
                yield f"lost: {what}" if there else f"proven, and not on the page: {what}"


def main():
    language, file, *more = sys.argv[1:]
    assert language in ("python", "javascript") and more in ([], ["--write"]), __doc__
    mine = lambda rows: {names: it for names, it in rows.items() if is_javascript(names[0]) == (language == "javascript")}
    found, page = mine(proven(file)), on_page()
    if more:
        write({names: it for names, it in page.items() if names not in mine(page)} | found)
        return 0
    print("\n\n".join(made for made in tables(found)))
    wrong = list(differences(found, mine(page)))
    for line in wrong:
        print(f"docs/proofs.md: {line}", file=sys.stderr)
    if wrong:
        print("What is proven stands there: mend the test, or write the page with --write.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
