"""The skills, one file each: layout, predicates on physics, time limit and expert."""
