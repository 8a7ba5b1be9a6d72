"""The page of a report, live: edits of a graph that is heard meanwhile."""
