"""The figures as tables: medians over the rounds, ratios within each round."""

import json
from dataclasses import dataclass, field
from statistics import median

from .dialects import DIALECTS

PASSED = DIALECTS[0].name


@dataclass(frozen=True)
class Row:
    """A metric; what it is held against, and the most that it may be then."""

    title: str
    unit: str
    digits: int
    budget: dict = field(default_factory=dict)  # by the subject's kind
    in_its_unit: bool = False  # the budget is no ratio
    to: str = ""  # the subject's own metric that it is held against; else nginx' same


FIGURES = {
    "whole_us": Row("CPU of a whole request, 1 KB", "µs", 1, {"embedded": 1.5, "redis": 1.8}),
    "saturated_us": Row("CPU of an event, saturated stream", "µs", 2,
                        {"embedded": 2.0, "redis": 2.0}),
    "paced_us": Row("CPU of an event, {streams} paced streams", "µs", 2,
                    {"embedded": 1.25, "redis": 1.25}),
    "stream_kb": Row("memory of a paced stream", "KB", 1,
                     {"embedded": 32.0, "redis": 32.0}, in_its_unit=True),
    "tls_us": Row("CPU of a whole request, TLS upstream", "µs", 1,
                  {"embedded": 1.5, "redis": 1.5}),
}
DIALECT_EVENTS = {
    f"{each.name}_us": Row(f"CPU of an event, {each.title}", "µs", 2,
                           {} if each.name == PASSED else {"embedded": 2.0}, to=f"{PASSED}_us")
    for each in DIALECTS
}
DIALECT_MEMORY = {
    f"{each.name}_kb": Row(f"memory of a paced stream, {each.title}", "KB", 1, to=f"{PASSED}_kb")
    for each in DIALECTS
}
ROWS = FIGURES | DIALECT_EVENTS | DIALECT_MEMORY


def summarize(rounds, subjects):
    """Each subject's medians and median ratios."""
    summary = {}
    for subject in subjects:
        of = [figures for figures in rounds if subject.name in figures]
        summary[subject.name] = figures = {}
        for metric, row in ROWS.items():
            values = [each[subject.name][metric] for each in of if metric in each[subject.name]]
            if not values:
                continue
            base, base_metric = (subject.name, row.to) if row.to else ("nginx", metric)
            ratios = [
                each[subject.name][metric] / each[base][base_metric]
                for each in of
                if metric in each[subject.name] and base_metric in each.get(base, {})
            ]
            figures[metric] = {
                "median": median(values),
                "least": min(values),
                "most": max(values),
                "ratio": median(ratios) if ratios else None,
                "least_ratio": min(ratios, default=None),
                "most_ratio": max(ratios, default=None),
            }
    return summary


def tables(summary, subjects, plan):
    """The tables in Markdown, of what was measured."""
    for rows in (FIGURES, DIALECT_EVENTS, DIALECT_MEMORY):
        those = [subject for subject in subjects if rows.keys() & summary[subject.name].keys()]
        if those:
            yield _table(rows, summary, those, plan)


def _table(rows, summary, subjects, plan):
    bounded = any(subject.kind in row.budget for subject in subjects for row in rows.values())
    titles = ["", *(subject.title for subject in subjects), *(["budget"] if bounded else [])]
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    for metric, row in rows.items():
        if not any(metric in summary[subject.name] for subject in subjects):
            continue
        cells = [row.title.format(streams=f"{plan.streams:,}")]
        for subject in subjects:
            cells.append(_cell(summary[subject.name].get(metric), subject, row))
        if bounded:
            cells.append(_budget(row))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def over_budget(summary, subjects):
    """A line for each figure that is over its budget."""
    lines = []
    for subject in subjects:
        for metric, row in ROWS.items():
            figure, most = summary[subject.name].get(metric), row.budget.get(subject.kind)
            if not figure or not most:
                continue
            value = figure["median"] if row.in_its_unit else figure["ratio"]
            if value and value > most:
                lines.append(f"{subject.title}: {metric} is {value:.2f}"
                             f"{_spread(figure, row)}, its budget {most}")
    return lines


def _spread(figure, row):
    """From the least round's to the most's, where there is more than one."""
    least, most = figure["least_ratio"], figure["most_ratio"]
    if row.in_its_unit:
        least, most = figure["least"], figure["most"]
    return f" ({least:.2f} to {most:.2f})" if least != most else ""


def write_json(path, machine, plan, rounds, summary):
    """Everything, for other programs."""
    with open(path, "w") as file:
        json.dump({"machine": machine, "plan": vars(plan), "summary": summary, "rounds": rounds},
                  file, indent=2)
        file.write("\n")


def _cell(figure, subject, row):
    if not figure:
        return "—"
    cell = f"{figure['median']:.{row.digits}f} {row.unit}"
    if figure["ratio"] and subject.kind != "nginx":
        cell += f" ({figure['ratio']:.2f}×)"
    return cell


def _budget(row):
    if row.in_its_unit:
        return f"≤ {max(row.budget.values()):.0f} {row.unit}"
    return " / ".join(f"≤ {most:g}×" for most in dict.fromkeys(row.budget.values()))
