"""What watches an installation: alert rules and dashboards, generated from what is exported."""
