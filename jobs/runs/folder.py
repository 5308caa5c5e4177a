"""Every path inside a run folder, and nowhere else a path inside a run folder.

`work/` holds what the children need while they work (request, lock, receipt, partial results); it is
the one folder that may be deleted once a run is complete.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `sectune status` asks for names only; pathlib takes as long as Python's own start
if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "run-manifest.json"
SUMMARY = ".summary.json"


class StageFolder:
    """The folder of stage 1 or stage 2."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def adapters(self) -> Path:
        """LoRA files only."""
        return self.root / "adapters"

    @property
    def adapter_file(self) -> Path:
        """The trained adapter."""
        return self.adapters / "adapters.safetensors"

    @property
    def adapter_config(self) -> Path:
        """What mlx-lm needs to load the adapter."""
        return self.adapters / "adapter_config.json"

    @property
    def training_metadata(self) -> Path:
        """How the adapter came to be."""
        return self.adapters / "training_metadata.json"

    @property
    def training_data(self) -> Path:
        """JSONL files only."""
        return self.root / "training-data"

    @property
    def train_file(self) -> Path:
        """The training part."""
        return self.training_data / "train.jsonl"

    @property
    def test_file(self) -> Path:
        """The test part."""
        return self.training_data / "test.jsonl"

    @property
    def evaluation(self) -> Path:
        """Results and one readable file per case."""
        return self.root / "evaluation"

    @property
    def evaluation_results(self) -> Path:
        """The figures."""
        return self.evaluation / "evaluation_results.json"

    @property
    def merged_model(self) -> Path:
        """A complete model, only where it was asked for."""
        return self.root / "merged-model"

    @property
    def metrics(self) -> Path:
        """A line per report of the trainer."""
        return self.root / "metrics.jsonl"


class RunFolder:
    """One run's folder.

    Args:
        root: `<models_dir>/training-runs/<run id>`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stage1 = StageFolder(root / "stage1")
        self.stage2 = StageFolder(root / "stage2")

    def stage(self, number: int) -> StageFolder:
        """The folder of stage 1 or stage 2."""
        return self.stage1 if number == 1 else self.stage2

    @property
    def manifest(self) -> Path:
        """The truth about this run."""
        return self.root / MANIFEST

    @property
    def events(self) -> Path:
        """What happened, a line each."""
        return self.root / "events.jsonl"

    @property
    def driver_lock(self) -> Path:
        """Held by whoever changes this run."""
        return self.root / ".driver.lock"

    @property
    def control(self) -> Path:
        """What a person asks of whoever drives this run: pause or cancel."""
        return self.root / "control.json"

    @property
    def reserve_file(self) -> Path:
        """Room that is kept aside while the run is unfinished; see `jobs.fs.free_space`."""
        return self.root / ".reserve"

    @property
    def priority_request(self) -> Path:
        """The priority that a person asks for; whoever drives the run takes it over."""
        return self.root / "priority.json"

    @property
    def reports(self) -> Path:
        """The delivery as received; each file lies in a folder named by its hash."""
        return self.root / "reports"

    def report(self, sha256: str, name: str) -> Path:
        """Where a delivered file lies: the content decides the place, the name stays readable."""
        return self.reports / sha256[:16] / name

    @property
    def findings(self) -> Path:
        """The distinct findings, a line each."""
        return self.root / "findings" / "findings.jsonl"

    @property
    def skipped(self) -> Path:
        """Records that could not be read, with their reasons."""
        return self.root / "findings" / "skipped.jsonl"

    @property
    def final_model(self) -> Path:
        """The fused model, complete."""
        return self.root / "final-model"

    @property
    def report_page(self) -> Path:
        """The run in one HTML file."""
        return self.root / "report.html"

    @property
    def fuse_report(self) -> Path:
        """How far the fused model is from base model plus adapter, and its first answer."""
        return self.root / "validation" / "fuse.json"

    @property
    def retention(self) -> Path:
        """Stage 2 on stage 1's test part."""
        return self.root / "stage2" / "evaluation" / "retention"

    @property
    def retention_results(self) -> Path:
        """The figures of that."""
        return self.retention / "evaluation_results.json"

    def validation(self, stage: int) -> Path:
        """How a stage's folders were checked."""
        return self.root / "validation" / f"stage{stage}-validation.json"

    @property
    def settings(self) -> Path:
        """The settings this run was created with; all its steps use these."""
        return self.root / "metadata" / "settings.json"

    @property
    def training_summary(self) -> Path:
        """The run in one page of JSON."""
        return self.root / "metadata" / "training-summary.json"

    @property
    def performance_metrics(self) -> Path:
        """Times, speeds and memory as measured."""
        return self.root / "metadata" / "performance-metrics.json"

    def work(self, step: str) -> Path:
        """A step's scratch folder."""
        return self.root / "work" / step

    def relative(self, path: Path) -> str:
        """A path inside the run as the manifest writes it."""
        return f"./{path.relative_to(self.root).as_posix()}"
