"""For authors of plugins and for our own tests: builders, a manual clock, fakes, test suites."""
