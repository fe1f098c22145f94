"""Companies: their members, score, stages, and what is told of them. A fold of the `members` log, as `people` is of its own."""
