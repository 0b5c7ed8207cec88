# SPDX-License-Identifier: Apache-2.0
"""Puts mutants into copies of source files.

Usage: mutate.py TREE MUTANT      change the file that the mutant names, in TREE
       mutate.py --check MUTANT...  only say which mutants have no place in the current folder

A mutant names a file and replaces one piece of it, which must be there exactly once. How the piece
is indented and wrapped does not matter.
"""
import pathlib
import re
import sys


def parts(mutant):
    text = pathlib.Path(mutant).read_text()
    head, rest = text.split("--- from\n", 1)
    old, new = rest.split("--- to\n", 1)
    return re.search(r"^file (.*)$", head, re.M).group(1), old, new


def mutated(tree, mutant):
    """The file and its changed text; the text is None where the piece is not there once."""
    name, old, new = parts(mutant)
    path = pathlib.Path(tree) / name
    pattern = re.compile(r"\s+".join(map(re.escape, old.split())))
    text = path.read_text() if path.exists() else ""
    if not old.split() or len(pattern.findall(text)) != 1:
        return path, None
    return path, pattern.sub(lambda _: new.strip(), text)


def main(arguments):
    if arguments[0] == "--check":
        missing = [mutant for mutant in arguments[1:] if mutated(".", mutant)[1] is None]
        for mutant in missing:
            print(f"{mutant}: the piece that it replaces is not there exactly once")
        return 1 if missing else 0
    path, text = mutated(*arguments)
    if text is None:
        return 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
