"""The figures as a table: medians over the rounds, ratios to nginx within each round."""

import json
from statistics import median

# metric: row, unit, digits, most that it may be as a multiple of nginx (or in its unit).
ROWS = {
    "whole_us": ("CPU of a whole request, 1 KB", "µs", 1, {"embedded": 1.5, "redis": 1.8}),
    "saturated_us": ("CPU of an event, saturated stream", "µs", 2, {"embedded": 2.0, "redis": 2.0}),
    "paced_us": ("CPU of an event, {streams} paced streams", "µs", 2, {"embedded": 1.25, "redis": 1.25}),
    "stream_kb": ("memory of a paced stream", "KB", 1, {"embedded": 32.0, "redis": 32.0}),
    "tls_us": ("CPU of a whole request, TLS upstream", "µs", 1, {"embedded": 1.5, "redis": 1.5}),
}
IN_ITS_UNIT = {"stream_kb"}


def summarize(rounds, subjects):
    """Each subject's medians and median ratios to nginx."""
    summary = {}
    for subject in subjects:
        of = [figures[subject.name] for figures in rounds if subject.name in figures]
        summary[subject.name] = figures = {}
        for metric in ROWS:
            values = [each[metric] for each in of if metric in each]
            if not values:
                continue
            ratios = [
                each[subject.name][metric] / each["nginx"][metric]
                for each in rounds
                if metric in each.get(subject.name, {}) and metric in each.get("nginx", {})
            ]
            figures[metric] = {
                "median": median(values),
                "least": min(values),
                "most": max(values),
                "ratio": median(ratios) if ratios else None,
            }
    return summary


def table(summary, subjects, plan):
    """The table in Markdown."""
    gateways = any(subject.kind in ("embedded", "redis") for subject in subjects)
    titles = ["", *(subject.title for subject in subjects), *(["budget"] if gateways else [])]
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    for metric, (row, unit, digits, budget) in ROWS.items():
        if not any(metric in summary[subject.name] for subject in subjects):
            continue
        cells = [row.format(streams=f"{plan.streams:,}")]
        for subject in subjects:
            cells.append(_cell(summary[subject.name].get(metric), subject, unit, digits))
        if gateways:
            cells.append(_budget(metric, unit, budget))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def over_budget(summary, subjects):
    """A line for each figure that is over its budget."""
    lines = []
    for subject in subjects:
        for metric, (row, unit, _, budget) in ROWS.items():
            figure, most = summary[subject.name].get(metric), budget.get(subject.kind)
            if not figure or not most:
                continue
            value = figure["median"] if metric in IN_ITS_UNIT else figure["ratio"]
            if value and value > most:
                lines.append(f"{subject.title}: {metric} is {value:.2f}, its budget {most}")
    return lines


def write_json(path, machine, plan, rounds, summary):
    """Everything, for other programs."""
    with open(path, "w") as file:
        json.dump({"machine": machine, "plan": vars(plan), "summary": summary, "rounds": rounds},
                  file, indent=2)
        file.write("\n")


def _cell(figure, subject, unit, digits):
    if not figure:
        return "—"
    cell = f"{figure['median']:.{digits}f} {unit}"
    if figure["ratio"] and subject.kind != "nginx":
        cell += f" ({figure['ratio']:.2f}×)"
    return cell


def _budget(metric, unit, budget):
    if metric in IN_ITS_UNIT:
        return f"≤ {max(budget.values()):.0f} {unit}"
    return " / ".join(f"≤ {most:g}×" for most in dict.fromkeys(budget.values()))
