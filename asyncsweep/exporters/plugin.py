"""The exporters that ship, registered as everybody's are."""

from __future__ import annotations

from asyncsweep.hooks.specs import hookimpl


@hookimpl
def asyncsweep_exporters() -> dict[str, str]:
    """Named by path, so that nothing is imported before somebody asks for it."""
    return {
        "csv": "asyncsweep.exporters.csv_table:CsvExporter",
        "jsonl": "asyncsweep.exporters.jsonl:JsonLinesExporter",
        "optuna": "asyncsweep.exporters.optuna_mirror:OptunaExporter",
    }
