# SPDX-License-Identifier: Apache-2.0
"""Compares the figures of script/bench with the targets, and prints the table as text or as JSON.

    report.py FIGURES [--json] [--write]

FIGURES is a file of lines "name key=value key=value..."; each run adds one line for each name. With --write the part
of docs/performance.md between START and END is replaced too.
"""
import collections
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/performance.md"
START, END = "<!-- table -->", "<!-- table end -->"
LIMIT_MIB = 64  # peak RSS of the worker
FLAT = 1.1  # most growth of the RSS during a run
# (key, title of the column, digits after the point)
SHOWN = [("rate", "commands/s", 0), ("p50", "p50 ms", 1), ("p99", "p99 ms", 1), ("transactions", "tx/1000", 1),
         ("retries", "retries/1000", 1), ("trips", "trips/batch", 2), ("batch_p10", "batch p10", 0),
         ("batch_p50", "p50", 0), ("batch_p90", "p90", 0), ("batch_max", "max", 0), ("cpu", "cpu s/1000", 4),
         ("peak", "peak MiB", 1), ("left", "left", 0)]


class Figures:
    """Lists of values by name and key, with one value for each run."""

    def __init__(self, path):
        self.runs = collections.defaultdict(lambda: collections.defaultdict(list))
        for line in open(path, encoding="utf-8"):
            name, *pairs = line.split()
            for key, value in (pair.split("=") for pair in pairs):
                self.runs[name][key].append(float(value))

    def all(self, name, key):
        return self.runs[name][key]

    def median(self, name, key):
        values = self.all(name, key)
        return statistics.median(values) if values else None

    def ratio(self, above, below):
        """The median of each run's ratio. A drift between runs is in both of its values, so it does not count."""
        pairs = list(zip(above, below))
        return statistics.median(a / b for a, b in pairs) if pairs else None

    def rate_ratio(self, above, below):
        return self.ratio(self.all(above, "rate"), self.all(below, "rate"))

    def latency_ratio(self, above, below):
        return self.ratio(self.all(above, "p50"), self.all(below, "p50"))


def in_sequence(figures):
    """The rates of the two baselines if one followed the other, of each run."""
    return [a * b / (a + b) for a, b in zip(figures.all("raw", "rate"), figures.all("broker", "rate"))]


def row(what, value, target, met, form="{:.2f}"):
    """One target. `met` is a predicate, or None if there is no target; a missing value does not meet one."""
    return {"what": what, "value": value, "text": "-" if value is None else form.format(value), "target": target,
            "met": None if met is None else value is not None and bool(met(value))}


def at_least(bound):
    return lambda value: value >= bound


def at_most(bound):
    return lambda value: value <= bound


def growth_of(figures, name, first, last):
    """The ratio of the RSS at two tenths of a run."""
    return figures.ratio(figures.all(name, f"rss_{last}"), figures.all(name, f"rss_{first}"))


def rate_rows(figures):
    best = max((name for name in figures.runs if name.startswith("plain-")),
               key=lambda name: figures.median(name, "rate"), default="plain-?")
    lanes = best.removeprefix("plain-")
    return [
        row(f"`new`, uniform / plain ({lanes} lanes)", figures.rate_ratio("new", "plain"), ">= 12", at_least(12)),
        row("`new`, uniform / baselines in sequence", figures.ratio(figures.all("new", "rate"), in_sequence(figures)),
            ">= 0.8", at_least(0.8)),
        row("`new`, uniform / baselines in one process", figures.rate_ratio("new", "both"), "-", None),
        row("`new`, hot / uniform", figures.rate_ratio("hot", "new"), ">= 1.2", at_least(1.2)),
        row("`churn` / `new`", figures.rate_ratio("churn", "new"), ">= 0.7", at_least(0.7)),
        row("two workers / one", figures.rate_ratio("two", "one"), ">= 0.9", at_least(0.9)),
        row("two workers on two queues / one", figures.rate_ratio("two-queues", "one"), "> 1 with enough cores", None),
    ]


def latency_rows(figures):
    lone, both = figures.latency_ratio("lone", "raw-1"), figures.latency_ratio("both-1", "raw-1")
    far = figures.latency_ratio("lone-far", "raw-1-far")
    p99 = figures.ratio(figures.all("open", "p99"), figures.all("open", "p50"))
    stalls = figures.all("open", "stall")
    longest = max(stalls) / 1000 if stalls else None
    return [
        row("lone command, p50 / bare transaction of one command", lone, "<= 1.3", at_most(1.3)),
        row("lone command, p50 / baselines in one process", figures.latency_ratio("lone", "both-1"), "-", None),
        row("baselines in one process, p50 / bare transaction of one command", both, "-", None),
        row("lone command, p50 / bare transaction, primary 1 ms away (round trip)", far, "<= 1.3", at_most(1.3)),
        row("open loop at half of the closed loop's rate, p99 / p50", p99, "<= 5", at_most(5)),
        row("open loop at half of the closed loop's rate, longest stall, s", longest, "<= 1", at_most(1)),
    ]


def cost_rows(figures):
    plain, small, large = (figures.median(name, "trips") for name in ("plain-1", "new-64", "new"))
    known = [trips for trips in (small, large) if trips is not None]
    spread = max(known) - min(known) if known else None
    return [
        row("round trips per batch, `new`, up to 512 commands", large, "<= 7", at_most(7.05)),
        row("round trips per batch, `new`, up to 64 commands", small, "<= 7", at_most(7.05)),
        row("round trips per batch, `new`, 1 command", plain, "<= 7", at_most(7.05)),
        row("round trips per batch, `churn`", figures.median("churn", "trips"), "<= 10", at_most(10.05)),
        row("round trips, difference between up to 512 and up to 64", spread, "0", at_most(0.05)),
        row("round trips per batch, `reads`", figures.median("reads", "trips"), "<= 4", at_most(4.05)),
        row("worker CPU per 1,000 commands, s", figures.median("new", "cpu"), "<= 0.06", at_most(0.06), "{:.4f}"),
        row("heap allocations per command", figures.median("heap", "allocations"), "-", None, "{:.1f}"),
    ]


def memory_rows(figures):
    return [
        row("peak RSS, prefetch 1,500, bodies of 1 KiB, MiB", figures.median("memory", "peak"), f"<= {LIMIT_MIB}",
            at_most(LIMIT_MIB), "{:.1f}"),
        row("the same run, RSS at the end / at three tenths", growth_of(figures, "memory", 3, 10), f"<= {FLAT}",
            at_most(FLAT)),
        row("peak RSS, bodies of 1 MB, 64 MiB in flight, MiB", figures.median("large", "peak"), f"<= {2 * LIMIT_MIB}",
            at_most(2 * LIMIT_MIB), "{:.1f}"),
    ]


def target_rows(figures):
    return rate_rows(figures) + latency_rows(figures) + cost_rows(figures) + memory_rows(figures)


def figure_rows(figures):
    """The medians of each load, with the range of the rates."""
    for name, values in figures.runs.items():
        cells = [name]
        for key, _, digits in SHOWN:
            value = figures.median(name, key)
            cells.append("-" if value is None else f"{value:.{digits}f}")
        rates = values["rate"]
        cells[1] += f" ({min(rates):.0f}-{max(rates):.0f})" if len(rates) > 1 else ""
        yield cells


def met_text(met):
    return {None: "-", True: "yes", False: "NO"}[met]


def environment(figures):
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"], capture_output=True, text=True,
                            check=False).stdout.strip()
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return {"commit": commit, "date": datetime.date.today().isoformat(), "processor": model, "cores": os.cpu_count(),
            "runs": len(figures.all("new", "rate")), "load_at_the_end": round(os.getloadavg()[0], 1)}


def print_columns(rows):
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    for cells in rows:
        print(cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])), sep="  ")


def table_cells(figures):
    return [["what", "value", "target", "met"]] + [[each["what"], each["text"], each["target"], met_text(each["met"])]
                                                   for each in target_rows(figures)]


def markdown(rows):
    yield "| " + " | ".join(rows[0]) + " |"
    yield "| --- |" + " ---: |" * (len(rows[0]) - 1)
    for cells in rows[1:]:
        yield "| " + " | ".join(cells) + " |"


def page_text(figures):
    about = environment(figures)
    lines = [START, f"Measured on {about['date']}, commit {about['commit']}: medians of {about['runs']} interleaved runs on "
             f"{about['cores']} cores ({about['processor']}).", ""]
    lines += markdown(table_cells(figures))
    lines += ["", "The figures of each load; the lowest and the highest rate are in brackets:", ""]
    lines += markdown([["load"] + [title for _, title, _ in SHOWN]] + list(figure_rows(figures)))
    return "\n".join(lines + [END])


def write_page(figures):
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START, 1)
    PAGE.write_text(before + page_text(figures) + rest.split(END, 1)[1], encoding="utf-8")


def as_json(figures):
    keys = ("what", "value", "target", "met")
    return {"environment": environment(figures), "targets": [{key: each[key] for key in keys} for each in target_rows(figures)],
            "figures": {name: dict(values) for name, values in figures.runs.items()}}


def main(path, *options):
    figures = Figures(path)
    if "--write" in options:
        write_page(figures)
    if "--json" in options:
        json.dump(as_json(figures), sys.stdout, indent=1)
        print()
    else:
        print_columns(table_cells(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
