"""A discrete-event simulation of planning, admission and pulling: the very code that runs, over time that is made up."""
