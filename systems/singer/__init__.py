"""Singer taps that a project brings: programs that write messages, run as they are and cut at their last STATE."""
