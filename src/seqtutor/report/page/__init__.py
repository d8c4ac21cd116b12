"""The page of runs: one HTML file that needs no network, to look at and listen to."""
