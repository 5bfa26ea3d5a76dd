"""Teachers at work: demonstrations by the experts, many at a time, into data sets."""
