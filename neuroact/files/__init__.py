"""Write and read reports and tensors; columns for data frames, CSV and Parquet."""
