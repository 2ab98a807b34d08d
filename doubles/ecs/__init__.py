"""A double of ECS on Fargate in the embedded AWS: tasks that run as processes, by the rights of their roles."""
