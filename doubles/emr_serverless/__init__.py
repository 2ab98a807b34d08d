"""EMR Serverless in the embedded AWS: its API, and jobs that run as processes of a real Spark."""
