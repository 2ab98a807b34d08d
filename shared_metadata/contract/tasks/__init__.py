"""Steps that outlast or outgrow one function: the same step, run as a task of Fargate, whose answer the function takes up."""
