"""The report of a run, made in the background: asked for once, followed and cancelled from any page of its project."""

from dataclasses import dataclass
from pathlib import Path

from nexusflow.explain.baseline import Baseline
from nexusflow.services.attributing import of_baseline
from nexusflow.services.insight import Insight
from nexusflow.services.jobs import JobManager, JobView, OnEvent, ShouldStop
from nexusflow.services.report import ReportStopped, gather
from nexusflow.services.run_reader import run_reader
from nexusflow.services.runner import model_path
from nexusflow.services.storage import INSIGHT_FOLDER, write_bytes
from nexusflow.services.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far a report is: the share that is done, 0 to 1, and what is being done."""

    share: float = 0.0
    doing: str = "Opening the model"


def report_path(workspace: Workspace, run_id: str, baseline: Baseline = Baseline.MISSING) -> Path:
    """Where the report of a run, with scores from this baseline, lies once it has been made."""
    return workspace.runs.folder(run_id) / INSIGHT_FOLDER / f"report{of_baseline(baseline)}.html"


def start_report(
    workspace: Workspace, manager: JobManager, run_id: str, *, baseline: Baseline = Baseline.MISSING
) -> None:
    """Queue the report of a run; an older one stays until the new one is whole. One under way is left to go on, from
    whichever baseline its scores are.

    It waits its turn among the trainings, whose random numbers it would disturb.
    """
    view = report_job(workspace, manager, run_id)
    if view is not None and not view.state.ended:
        return
    store, tables, path = workspace.runs, workspace.tables(), report_path(workspace, run_id, baseline)

    def work(on_event: OnEvent, should_stop: ShouldStop) -> None:
        from nexusflow.artifact import load_model
        from nexusflow.services.report_html import to_html

        # A network of its own: the page asks the one it has opened at the same time.
        trained = load_model(model_path(store, run_id))
        insight = Insight(store, run_id, trained, run_reader(trained, tables))
        try:
            report = gather(
                insight,
                baseline=baseline,
                on_step=lambda share, what: on_event(Step(share=share, doing=what)),
                should_stop=should_stop,
            )
        except ReportStopped:
            return
        on_event(Step(share=1.0, doing="Writing it down"))
        write_bytes(path, to_html(report))

    manager.submit(owner=workspace.id, job_id=_job(run_id), title="report", work=work)


def cancel_report(workspace: Workspace, manager: JobManager, run_id: str) -> bool:
    """Ask the report of a run to stop; False where none is being made."""
    return manager.cancel(_job(run_id), workspace.id)


def report_job(workspace: Workspace, manager: JobManager, run_id: str) -> JobView | None:
    """The job that makes, or last made, the report of a run; None where none was asked for."""
    return manager.view(_job(run_id), workspace.id)


def step_of(view: JobView) -> Step:
    """How far it is."""
    steps = [event for event in view.events if isinstance(event, Step)]
    return steps[-1] if steps else Step()


def _job(run_id: str) -> str:
    return f"report-{run_id}"
