# SPDX-License-Identifier: Apache-2.0
"""The parts of files that are made from the lists in the code.

The program `describe` (tests/style/describe.c) prints each list. A generated part stands between a
line with `generated: NAME` and one with `end generated`; some files are generated whole.
"""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def described(build, name):
    return subprocess.run([str(pathlib.Path(build) / "bin" / "describe"), name], capture_output=True, text=True,
                          check=True).stdout


def rows(build, name):
    """A list as a list of columns."""
    return [line.split("\t") for line in described(build, name).splitlines()]


def table(build, name, head):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for row in rows(build, name):
        cells = [f"`{row[0]}`"] + row[1:]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def with_part(path, name, part):
    """The file's text with the generated part NAME replaced; fails where it has no such part."""
    return with_part_of((ROOT / path).read_text(), path, name, part)


def with_part_of(text, path, name, part):
    pattern = re.compile(rf"^([^\n]*generated: {name}\b[^\n]*\n).*?^([^\n]*end generated\b)", re.M | re.S)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f"{path}: there is not exactly one part 'generated: {name}'")
    return pattern.sub(lambda found: found.group(1) + part + found.group(2), text)


def allotctl_manual(build):
    path = "docs/man/allotctl.1.scd"
    text = with_part(path, "options", described(build, "common-options"))
    return with_part_of(text, path, "commands", described(build, "allotctl-commands"))


def files(build):
    """{path: the text that it should have}"""
    return {
        "config/allotd.example.yaml": described(build, "settings-example"),
        "docs/man/allotd.yaml.5.scd": with_part("docs/man/allotd.yaml.5.scd", "settings",
                                                described(build, "settings-manual")),
        "docs/man/allotctl.1.scd": allotctl_manual(build),
        "docs/man/allotctl.yaml.5.scd": with_part("docs/man/allotctl.yaml.5.scd", "keys",
                                                  described(build, "context-keys")),
        "ctl/completion/allotctl.bash": with_part("ctl/completion/allotctl.bash", "commands",
                                                  described(build, "completion")),
        "docs/operations.md": with_part("docs/operations.md", "events",
                                        "\n" + table(build, "events", ["event", "level", "meaning", "what to do"]) + "\n"),
        "docs/debugging.md": with_part("docs/debugging.md", "counters",
                                       "\n" + table(build, "counters", ["counter", "kind", "unit", "meaning"]) + "\n"),
    }
