"""What a runner leaves behind for work that a stand-in pretended to do: a discovery, or one canned report."""

from crosswind.bootstrap import stores
from crosswind.contracts.work import ArchiveRef, Discovery, FileRef, ShardResult, WorkKind
from crosswind.kernel.clock import SystemClock, to_iso
from crosswind.runs import layout
from crosswind.runs.model import Work
from crosswind.settings import RunnerSettings

_REPORT = '<testsuite name="s"><testcase classname="c" name="{work_id}" time="{seconds:.3f}"/></testsuite>'
NO_ARCHIVE = "sha256:" + "0" * 64


def leave(settings: RunnerSettings, work: Work, *, digest: str = NO_ARCHIVE, seconds: float = 0.001) -> str:
    """Upload it. Returns the attempt's prefix."""
    artifacts, now, prefix = (
        stores.artifacts(settings),
        to_iso(SystemClock().now()),
        layout.attempt_prefix(work),
    )
    if work.kind is WorkKind.PREPARE:
        archive = ArchiveRef(key=layout.archive_key(work.team, digest), digest=digest, size=1)
        found = Discovery(preparation=digest, archive=archive, test_ids=None)
        artifacts.put(layout.discovery_key(prefix), found.to_wire().encode())
        return prefix
    key = layout.report_key(prefix, 1, "report.xml")
    data = _REPORT.format(work_id=work.key.work_id, seconds=seconds).encode()
    artifacts.put(key, data)
    report = FileRef(path="report.xml", key=key, size=len(data))
    result = ShardResult(exit_code=0, started_at=now, finished_at=now, reports=((report,),))
    artifacts.put(layout.result_key(prefix), result.to_wire().encode())
    return prefix
