"""Facts out by HTTP, for a CRM that reads no Kafka: each stage change is a signed webhook."""
