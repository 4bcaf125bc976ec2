"""The result of a group as a Markdown table."""

from statistics import median


def render(group, costs):
    """One row a contestant, ours first; ratios are to the first of ours."""
    lines = [f"### {group.title}", ""]
    first = next(c for c in group.contestants if c.ours)
    base = median(cost.wall for cost in costs[first.name])
    memory = any(c.peak_of for c in group.contestants)
    lines += header(memory)
    for contestant in group.contestants:
        runs = costs[contestant.name]
        name = f"**{contestant.name}**" if contestant.ours else contestant.name
        wall = median(cost.wall for cost in runs)
        row = [name, time(wall), time(min(c.wall for c in runs)), time(median(c.cpu for c in runs)), f"{wall / base:.2f}"]
        if memory:
            row.append(f"{max(c.peak for c in runs) / 2**20:.1f} MiB")
        lines.append("| " + " | ".join(row) + " |")
    rounds = len(next(iter(costs.values())))
    lines += ["", f"{rounds} rounds, in turns. CPU: user and system, of the daemon too where there is one."]
    for name, lacking in group.missing:
        lines.append(f"Not measured: {name} ({', '.join(lacking)} not installed).")
    return "\n".join(lines) + "\n"


def header(memory):
    """The head of the table."""
    names = ["", "median", "best", "CPU, median", "ratio"] + (["peak"] if memory else [])
    return ["| " + " | ".join(names) + " |", "| --- |" + " ---: |" * (len(names) - 1)]


def time(seconds):
    """Three figures, in the unit that suits."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
