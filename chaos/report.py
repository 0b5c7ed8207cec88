# SPDX-License-Identifier: Apache-2.0
"""The report of a run: on the terminal, and in docs/reliability.md."""
import collections
import contextlib
import fcntl
import os
import pathlib
import re
import subprocess

import judge
from servers import ROOT

PAGE = ROOT / "docs/reliability.md"
VICTIMS_END = "<!-- victims end -->"
RUNS_END, FAULTS, FAULTS_END = "<!-- runs end -->", "<!-- faults -->", "<!-- faults end -->"
SHOWN_MAX = 5
AFTERMATH_MS = 5000
COLUMNS = ["injected", "answers repeated", "success", "refused, recorded", "refused, unrecorded", "dead letters"]


def tell(case, results):
    codes = collections.Counter(judge.code_of(reply["said"]) for reply in case.replies)
    for what in case.facts.get("summary", []):
        print("chaos:", what)
    print("chaos:", f"{sent(case)} commands, {len(case.replies)} replies, {len(case.dead)} dead letters,",
          f"{len(case.outcomes)} outcomes, {len(case.evidence['transactions'])} transactions,",
          f"{len(case.letters)} letters, idle after {case.facts['idle_s']} s, all published {case.facts.get('letters_s')} s later")
    if codes:
        print("chaos:", ", ".join(f"{code} {count}" for code, count in codes.most_common()))
    for name, row in sorted(fault_rows(case).items()):
        print(f"  {name:<42}", " ".join(f"{column} {row[column]}" for column in COLUMNS[:3]))
    for record in case.records:
        if record["t"] == "fault" and record["phase"] == "error":
            print(f"  not injected or cleared: {record['name']}: {record['error'][:200]}")
    failed = 0
    for name, against in results:
        print("ok    " if not against else "FAILED", name, f"({len(against)})" if against else "")
        for what in against[:SHOWN_MAX]:
            print("       ", what)
        failed += bool(against)
    return failed


def sent(case):
    """The number of commands; a scenario that does not journal them counts them itself."""
    return case.facts.get("commands", len(case.sends))


def windows(case):
    """(name, from, to) of each fault that took place, until AFTERMATH_MS after it was cleared."""
    begun = collections.defaultdict(list)
    for record in case.records:
        if record["t"] == "fault" and record["phase"] == "inject":
            begun[record["name"]].append(record["at"])
        elif record["t"] == "fault" and record["phase"] == "clear" and record["count"] > 0:
            yield record["name"], begun[record["name"]][-1], record["at"] + AFTERMATH_MS


def answers(case):
    """(time, column) of every reply and dead letter. An answer is repeated if there are more than sends."""
    sent = collections.Counter()
    for record in case.records:
        if record["t"] == "again":
            sent[record["id"]] += 1
        elif record["t"] == "sent":
            sent[record["id"]] += record["tries"]
    received = collections.Counter()
    for record in case.records:
        if record["t"] == "dead":
            yield record["at"], "dead letters"
        elif record["t"] == "reply":
            received[record["id"]] += 1
            code = judge.code_of(record["said"])
            yield record["at"], ("success" if code == "success" else
                                 "refused, unrecorded" if code in judge.UNRECORDED else "refused, recorded")
            if received[record["id"]] > max(1, sent[record["id"]]):
                yield record["at"], "answers repeated"


def fault_rows(case):
    rows = collections.defaultdict(collections.Counter)
    spans, found = list(windows(case)), list(answers(case))
    for name, _, _ in spans:
        rows[name]["injected"] += 1
    for at, column in found:
        for name in {name for name, start, end in spans if start <= at <= end}:
            rows[name][column] += 1
    return rows


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                          check=False)
    dirty = subprocess.run(["git", "-C", str(ROOT), "status", "--porcelain", "--", "worker", "common", "include"],
                           capture_output=True, text=True, check=False).stdout.strip()
    return done.stdout.strip() + ("+" if dirty else "")


def tools(build):
    """The sanitizers that the worker was built with, from CMake's cache."""
    cache = pathlib.Path(build) / "CMakeCache.txt"
    found = re.search(r"^ALLOT_SANITIZE:\w+=(.+)$", cache.read_text(), re.MULTILINE) if cache.exists() else None
    return f", built with {found.group(1)}" if found else ""


def append(case, results, options):
    """Adds the run to the table of runs, and its counts to the table of faults."""
    failed = [name for name, against in results if against]
    rows = fault_rows(case)
    scenario = options.scenario + (f", `--faults {options.faults}`" if options.faults else "")
    scenario += (", under valgrind" if options.valgrind else "") + tools(options.build)
    line = (f"| {scenario} | {options.seed} | {options.minutes:g} | {commit()} | {sent(case)} | "
            f"{sum(row['injected'] for row in rows.values())} | {case.facts['idle_s']} | "
            f"{len(results) - len(failed)} | {', '.join(failed) or '-'} |\n")
    with locked(options.page) as page:
        before, table = page.read().replace(RUNS_END, line + RUNS_END).split(FAULTS)
        table, after = table.split(FAULTS_END)
        replace(options.page, before + FAULTS + "\n" + sum_up(table, rows) + FAULTS_END + after)


def append_victim(case, results, options):
    """Adds a scenario with a victim to the table of victims."""
    victim, facts = case.facts["victim"], case.facts
    failed = [name for name, against in results if against]
    scenario = options.scenario + (", `--short`" if options.short else "") + tools(options.build)
    cells = [scenario, commit(), victim["commands"], victim["p50_ms"], victim["p99_ms"], victim["max_ms"],
             victim["wrong"], victim["unanswered"], facts["losses"], facts["lines"], round((facts["peak_kb"] or 0) / 1024),
             ", ".join(failed) or "-"]
    line = "| " + " | ".join(map(str, cells)) + " |\n"
    with locked(options.page) as page:
        replace(options.page, page.read().replace(VICTIMS_END, line + VICTIMS_END))


@contextlib.contextmanager
def locked(path):
    """Locks the page. Another run may have replaced the file while this one waited: then it is opened again."""
    while True:
        with open(path, encoding="utf-8") as page:
            fcntl.flock(page, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(page.fileno()), os.stat(path)):
                yield page
                return


def replace(path, text):
    """Replaces the file in one step, so that a crash leaves the old or the new one."""
    new = path.with_name(path.name + ".new")
    with open(new, "w", encoding="utf-8") as page:
        page.write(text)
        page.flush()
        os.fsync(page.fileno())
    os.chmod(new, os.stat(path).st_mode & 0o777)
    os.replace(new, path)


def sum_up(table, rows):
    for text in table.strip().splitlines()[2:]:
        name, *numbers = [cell.strip() for cell in text.strip().strip("|").split("|")]
        rows[name].update(dict(zip(COLUMNS, map(int, numbers))))
    lines = ["| fault | " + " | ".join(COLUMNS) + " |", "| --- |" + " ---: |" * len(COLUMNS)]
    lines += [f"| {name} | " + " | ".join(str(row[column]) for column in COLUMNS) + " |"
              for name, row in sorted(rows.items())]
    return "\n".join(lines) + "\n"
