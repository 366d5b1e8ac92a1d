"""The pure core: decides on data. No I/O, no clock, no chance; only `fields` imports a package."""
