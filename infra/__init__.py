"""The AWS side of Atoll: shared constructs and stacks, delivery to accounts, and the embedded AWS."""
