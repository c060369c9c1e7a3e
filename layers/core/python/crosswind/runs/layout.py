"""Where a run's objects lie. One place for every key of the artifacts and the sources bucket."""

from crosswind.contracts.live import Stream
from crosswind.runs.model import Work
from crosswind.runs.pulling.model import Batch


def run_prefix(run_id: str) -> str:
    """Everything of a run lies under this prefix of the artifacts bucket."""
    return f"runs/{run_id}/"


def spec_key(run_id: str) -> str:
    """The ResolvedSuite."""
    return f"{run_prefix(run_id)}spec.json"


def execution_input_key(run_id: str) -> str:
    """The RunExecutionInput, kept so that a recovery execution gets the same."""
    return f"{run_prefix(run_id)}input.json"


def preparation_orders_key(run_id: str) -> str:
    """PrepareOrders, one JSON line each."""
    return f"{run_prefix(run_id)}prepare/orders.jsonl"


def plan_key(run_id: str) -> str:
    """The Plan."""
    return f"{run_prefix(run_id)}plan.json"


def round_prefix(run_id: str, name: str) -> str:
    """Plan, orders and tickets of a rerun. The name is new for each request, so that two at once share no object."""
    return f"{run_prefix(run_id)}rounds/{name}/"


def round_plan_key(prefix: str) -> str:
    """The Plan of a rerun."""
    return f"{prefix}plan.json"


def round_orders_key(prefix: str, stage: int) -> str:
    """ShardOrders of a stage of a rerun."""
    return f"{prefix}stages/{stage:02d}/orders.jsonl"


def round_tickets_key(prefix: str, stage: int) -> str:
    """Tickets of a stage of a rerun. Ends as those of the first round do: the state machine may read such keys."""
    return f"{prefix}stages/{stage:02d}/tickets.jsonl"


def stage_orders_key(run_id: str, stage: int) -> str:
    """ShardOrders of a stage, one JSON line each; tickets point at byte ranges."""
    return f"{run_prefix(run_id)}stages/{stage:02d}/orders.jsonl"


def stage_tickets_key(run_id: str, stage: int) -> str:
    """Tickets of a stage, one JSON line each: what the Distributed Map reads."""
    return f"{run_prefix(run_id)}stages/{stage:02d}/tickets.jsonl"


def pull_list_key(run_id: str, pull_id: str) -> str:
    """The PullList of a test job: what its shards lease batches from."""
    return f"{run_prefix(run_id)}pull/{pull_id}.json"


def attempt_prefix(work: Work) -> str:
    """Where the present holder uploads. Attempt and epoch keep a zombie's files apart from the winner's."""
    name = f"{work.attempt:02d}-{work.epoch:03d}"
    return named_attempt_prefix(work.key.run_id, work.key.work_id, name)


def named_attempt_prefix(run_id: str, work_id: str, attempt: str) -> str:
    """Where the holder of an attempt uploads, by the attempt's name."""
    return f"{run_prefix(run_id)}work/{work_id}/{attempt}/"


def attempt_name(prefix: str) -> str:
    """What an attempt is called: attempt and epoch, such as `01-002`."""
    return prefix.rstrip("/").rsplit("/", 1)[-1]


def batch_prefix(batch: Batch) -> str:
    """Where the holder of a batch uploads what its tests report. Apart for each attempt of the shard, as its prefix is."""
    return f"{batch.prefix}batches/{batch.stripe:03d}-{batch.number:06d}/"


def discovery_key(prefix: str) -> str:
    """The Discovery of a preparation, under the prefix of its committed attempt."""
    return f"{prefix}discovery.json"


def result_key(prefix: str) -> str:
    """The ShardResult of a shard, under the prefix of its committed attempt."""
    return f"{prefix}result.json"


def stream_prefix(prefix: str, stream: Stream) -> str:
    """Chunks of an attempt's log, or of its events."""
    return f"{prefix}{stream.value}/"


def stream_chunk_key(prefix: str, stream: Stream, offset: int) -> str:
    """One chunk of a stream of an attempt."""
    return chunk_key(stream_prefix(prefix, stream), offset)


def chunk_key(prefix: str, offset: int) -> str:
    """A chunk's name is the byte offset at which it starts, so that key order is the stream's order."""
    return f"{prefix}{offset:015d}"


def cases_key(prefix: str) -> str:
    """Ingested cases of a committed attempt: gzip NDJSON."""
    return f"{prefix}cases.ndjson.gz"


def links_key(prefix: str) -> str:
    """The ArtifactLinks of a committed attempt; there is none where no test has made a file."""
    return f"{prefix}links.json"


def results_index_key(run_id: str) -> str:
    """The ResultsIndex."""
    return f"{run_prefix(run_id)}results/index.json"


def results_page_key(run_id: str, page: int) -> str:
    """A page of folded cases: gzip NDJSON of CaseView."""
    return f"{run_prefix(run_id)}results/pages/{page:05d}.ndjson.gz"


def archive_order_key(run_id: str, archive_id: str) -> str:
    """The ArchiveOrder of some of a run's files as one zip."""
    return f"{run_prefix(run_id)}archives/{archive_id}/order.json"


def archive_record_key(run_id: str, archive_id: str) -> str:
    """The ArchiveRecord: what came of the order."""
    return f"{run_prefix(run_id)}archives/{archive_id}/record.json"


def archive_zip_key(run_id: str, archive_id: str) -> str:
    """The zip itself."""
    return f"{run_prefix(run_id)}archives/{archive_id}/files.zip"


PRICES_KEY = "prices/prices.json"
"""An operator's own PriceList, in the artifacts bucket; it never expires."""


def cost_key(run_id: str, *, round_number: int, prices: str) -> str:
    """The RunCost of a finished run after a round, by the digest of the prices."""
    return f"{run_prefix(run_id)}costs/{round_number:02d}-{prices}.json"


def use_key(prefix: str) -> str:
    """CPU and memory of an attempt over time."""
    return f"{prefix}use.ndjson"


def run_report_key(run_id: str, name: str) -> str:
    """One form of the run's report, written anew each time that it is asked for."""
    return f"{run_prefix(run_id)}report/{name}"


def archive_key(team: str, digest: str) -> str:
    """An archive in the sources bucket, named by its content and apart for each team."""
    return f"sources/{team}/{digest.removeprefix('sha256:')}.tar.gz"


def preparation_work_id(index: int) -> str:
    """Work id of the n-th preparation of a run."""
    return f"prepare-{index:05d}"


def shard_work_id(index: int) -> str:
    """Work id of the n-th shard of a run, counted over all stages."""
    return f"shard-{index:05d}"


def report_key(prefix: str, run: int, path: str) -> str:
    """A report file of the n-th run of the command within an attempt (1-based; more than one after test retries)."""
    return f"{prefix}reports/{run:02d}/{path}"


def batch_result_key(batch: Batch) -> str:
    """The BatchResult of a batch."""
    return f"{batch_prefix(batch)}result.json"


def batch_report_key(batch: Batch, name: str) -> str:
    """A report file of a batch."""
    return f"{batch_prefix(batch)}reports/{name}"


def given_up_prefix(work: Work) -> str:
    """Where results of a shard lie that was given up, and had committed batches before."""
    return f"{run_prefix(work.key.run_id)}work/{work.key.work_id}/given-up/"


def load_result_key(prefix: str) -> str:
    """The LoadResult of a worker of a load job, under the prefix of its attempt."""
    return f"{prefix}load.json"


def load_merged_key(run_id: str, group: str) -> str:
    """What all workers of a load job measured: a LoadResult, for later comparisons."""
    return f"{run_prefix(run_id)}results/load/{group}-merged.json"


def load_summary_key(run_id: str, group: str) -> str:
    """The LoadSummary of a load job."""
    return f"{run_prefix(run_id)}results/load/{group}.json"


def artifact_key(prefix: str, path: str) -> str:
    """An artifact of an attempt, by its path in the working directory."""
    return f"{prefix}artifacts/{path}"
