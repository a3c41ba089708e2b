"""Rebuilding: the trial database made anew from the vault and the mappings, then swapped in."""

import msgspec

from fhir_adapter.core.runs import Progress, silent
from fhir_adapter.steps.growing import in_order
from fhir_adapter.steps.leases import trial_lease
from fhir_adapter.steps.mapping import Mapper, map_hospital
from fhir_adapter.steps.projecting import project
from fhir_adapter.steps.settling import conclude
from fhir_adapter.steps.workspace import Workspace, database_url, trial_tables
from fhir_adapter.store.rebuild import open_next, swap


def rebuild(work: Workspace, told: Progress = silent) -> list[str]:
    """A new trial database in the place of the old one; what its digest was before and is now.

    The caller's workspace must not be used afterwards: its trial database is closed.
    """
    url = database_url(work.study.settings.databases.trial, work.folder)
    before = work.trial.digest()
    grown = open_next(url, trial_tables())
    anew = msgspec.structs.replace(work, trial=grown)
    with trial_lease(anew) as lease:
        run = anew.vault.start_run("rebuild", in_order(anew), anew.study.digest, "", anew.clock())
        mapper = Mapper(anew)
        for name in in_order(anew):
            map_hospital(anew, mapper, anew.study.hospitals[name], lease, run, told)
        conclude(anew, lease, told, everyone=True)
        project(anew, lease)
        anew.vault.finish_run(run, {}, 0, anew.clock())
    after = grown.digest()
    work.trial.close()
    swap(url, grown)
    same = "the same as before" if before == after else f"before it was {before}"
    return [f"Rebuilt. Digest {after}: {same}."]
