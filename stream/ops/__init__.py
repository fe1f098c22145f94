"""What operators watch: metrics, lag."""
