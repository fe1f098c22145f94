"""A hardened Faust: batches, checkpoints, tables by partition. Knows nothing of leads."""
