"""What a harness slice does with results, whatever its target: compares them, writes them down, finds the rows that are refused."""
