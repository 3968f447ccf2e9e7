"""Reports and tensors as files, and back; columns for data frames, CSV and Parquet."""
