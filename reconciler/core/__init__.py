"""The pure core: decides on data. No I/O, no clock, no chance; standard library only (deepdiff in `fields`)."""
