"""Explain a whole data set, with only one shard in memory at a time.

Each shard is a file that is complete or absent, so an interrupted call can be resumed, and processes started by
torchrun share the work.
"""

from corrigible.explanations.shards.counterfactuals_all import counterfactuals_all, read_counterfactuals
from corrigible.explanations.shards.explaining_all import explain_all, load_shards, read_shards, shard_paths
from corrigible.explanations.shards.writing import ShardsPlanned, ShardWritten

__all__ = [
    "ShardWritten",
    "ShardsPlanned",
    "counterfactuals_all",
    "explain_all",
    "load_shards",
    "read_counterfactuals",
    "read_shards",
    "shard_paths",
]
