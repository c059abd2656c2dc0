"""Explain a whole data set, of which only a shard is in memory at a time.

Each shard is a file that is complete or absent, so that work goes on where it was interrupted, and processes started
by torchrun share it.
"""

from corrigible.explanations.shards.explaining_all import (
    ShardsPlanned,
    ShardWritten,
    explain_all,
    load_shards,
    read_shards,
    shard_paths,
)

__all__ = ["ShardWritten", "ShardsPlanned", "explain_all", "load_shards", "read_shards", "shard_paths"]
