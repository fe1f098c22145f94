"""A hardened Faust: batches, checkpoints, tables by partition. Knows no event and no rule.

Of the product it knows what the topics are called and how they are kept (`topics`), what to say of one that was lost
(`misfits`), and what a row begins with (`stream.domain.head`).
"""
