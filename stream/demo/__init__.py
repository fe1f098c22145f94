"""Sample visitors, all made up: an access log, the companies behind its addresses, the story of a few leads."""
