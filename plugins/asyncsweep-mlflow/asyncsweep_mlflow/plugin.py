"""The names that this distribution offers. Nothing behind them is imported before somebody asks for one."""

from __future__ import annotations

from asyncsweep import hookimpl


@hookimpl
def asyncsweep_exporters() -> dict[str, str]:
    """The exporter `mlflow`."""
    return {"mlflow": "asyncsweep_mlflow.exporter:MlflowExporter"}
