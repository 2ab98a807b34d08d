"""Steps that wait for work that runs elsewhere: a step says `NotYet`, its state machine pauses, and the step is called again."""
