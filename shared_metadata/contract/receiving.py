"""The name of the function that takes what others send to a slice's endpoint; it takes part in no batch."""

STEP = "receive"
