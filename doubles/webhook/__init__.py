"""A double of an application that takes what `harness/webhook` sends."""
