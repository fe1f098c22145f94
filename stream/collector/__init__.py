"""HTTP in: what trackers send becomes events in Kafka, and an answer means that they lie there."""
