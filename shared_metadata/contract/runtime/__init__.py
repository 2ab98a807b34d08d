"""What a slice's function runs in: environment, handler, clients, staging, meter."""
