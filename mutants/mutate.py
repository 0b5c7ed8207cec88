# SPDX-License-Identifier: Apache-2.0
"""Applies mutants to copies of source files.

Usage: mutate.py TREE MUTANT        change the file that the mutant names, in TREE
       mutate.py --check MUTANT...  list the mutants that do not fit the files of the current folder

A mutant names a file and replaces one piece of its text, which must be there exactly once. White
space in the piece matches any white space. Exit status 1: a mutant does not fit.
"""
import pathlib
import re
import sys


def parse(mutant):
    """Returns the file name, the old text and the new text of a mutant."""
    text = pathlib.Path(mutant).read_text()
    head, rest = text.split("--- from\n", 1)
    old, new = rest.split("--- to\n", 1)
    return re.search(r"^file (.*)$", head, re.M).group(1), old, new


def mutated(tree, mutant):
    """Returns the path of the file and its changed text; None for the text if the mutant does not fit."""
    name, old, new = parse(mutant)
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
            print(f"{mutant}: the text that it replaces is not in the file exactly once")
        return 1 if missing else 0
    path, text = mutated(*arguments)
    if text is None:
        return 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
