"""`bottomup train`: one training run."""

from __future__ import annotations

import argparse

from bottomup.commands.common import FINE, TERMINATED, Commands, say

TEXT = """\
Trains the system that a settings file describes, or goes on where a killed run stopped. Writes
snapshots, metrics.jsonl, TensorBoard files, best.safetensors (the highest AP on the dev set) and, at
the end, weights.safetensors into its `out`. With several cores or GPUs: torchrun --nproc-per-node N
train.py CONFIG. SIGTERM saves the run and ends it with exit code 143.
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("train", help="train a system", description=TEXT)
    parser.add_argument("config", metavar="CONFIG", help="YAML file, such as configs/default.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings in place of the file's")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    import warnings
    from pathlib import Path

    from bottomup.commands.memory import keep_freed_memory
    from bottomup.roads.evaluation import dev_judge
    from bottomup.settings import load_settings
    from bottomup.training.config import TrainSettings
    from bottomup.training.loop import train
    from bottomup.training.parallel import process_leads
    from bottomup.training.report import Report
    from bottomup.training.termination import Terminated
    from bottomup.training.weights import save_trained, weights_header

    warnings.filterwarnings("ignore", message=r"index_reduce\(\) is in beta")
    settings = load_settings(TrainSettings, options.config, options.overrides)
    keep_freed_memory()
    judge = None
    if settings.dev.labels is not None:
        header = weights_header(settings, settings.steps)
        judge = dev_judge(header, settings.dev.labels, settings.dev.images)
    leads = process_leads()
    try:
        network = train(settings, Report(Path(settings.out), settings.steps) if leads else None, judge)
    except Terminated as stopped:
        say(str(stopped))
        return TERMINATED
    if leads:
        path = Path(settings.out) / "weights.safetensors"
        save_trained(network, settings, settings.steps, path)
        say(f"weights in {path}")
    return FINE
