"""A study's state, derived from its series and jobs; never written on its own account.

Decides only this derivation. It runs in the transaction that changed a series or a job, with the study's row locked,
so that two workers that finish at once cannot both miss the other's outcome.
"""

from collections.abc import Collection

from sqlalchemy import Connection, select

from agatha.store.rows import change, utc_now
from agatha.store.tables import Job, Series, Study


def derive_study_state(series_states: Collection[str], job_states: Collection[str]) -> str:
    """Return the state of a study from those of its series and of the jobs on their present input.

    What still moves comes first, then what needs a person: receiving, processing, failed, completed, refused. A study
    in which nothing was eligible counts as refused: there is no score, and each series says why.
    """
    if "receiving" in series_states:
        return "receiving"
    if "assembling" in series_states or not {"queued", "running"}.isdisjoint(job_states):
        return "processing"
    if "failed" in series_states or "failed" in job_states:
        return "failed"
    return "completed" if "completed" in job_states else "refused"


def refresh_study_state(connection: Connection, study_id: int) -> str:
    """Derive and store the study's state; return it."""
    before = connection.execute(
        select(Study.state).where(Study.id == study_id).with_for_update(key_share=True)
    ).scalar_one()
    series_states = connection.execute(select(Series.state).where(Series.study_id == study_id)).scalars().all()
    # Jobs of an older input say nothing about what the study holds now.
    on_present_input = (
        select(Job.state).join(Series).where(Series.study_id == study_id, Job.input_version == Series.input_version)
    )
    state = derive_study_state(series_states, connection.execute(on_present_input).scalars().all())
    if state != before:
        connection.execute(change(Study).where(Study.id == study_id).values(state=state, updated_at=utc_now()))
    return state
