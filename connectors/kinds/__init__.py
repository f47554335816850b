"""One module for each way of holding records: folders of files, SQL databases."""
