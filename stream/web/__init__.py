"""The pages and the API of a worker: any worker answers for any key."""
