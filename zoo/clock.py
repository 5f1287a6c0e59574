"""Durations and names for people."""

from zoo.records.record import Record


def clock(seconds: float) -> str:
    """Print a duration as minutes and seconds, with hours where it has some."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def by_the_clock(record: Record) -> str:
    """Say what a run took; of one that was interrupted the record has no more than the last attempt."""
    if record.resumed:
        return "interrupted"
    processes = f", {record.workers} processes" if record.workers > 1 else ""
    parts = f", {len(record.parts)} runs" if len(record.parts) > 1 else ""
    return clock(record.wall_seconds) + processes + parts


def label(training: str) -> str:
    return f"task {training}" if training.isdigit() else training
