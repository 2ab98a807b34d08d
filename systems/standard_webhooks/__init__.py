"""What a sender and a receiver of signed requests share, as Standard Webhooks has it."""
