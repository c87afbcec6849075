"""A captured analysis run again with other parameters or inputs: only the jobs that these reach."""
