"""Lists as the rows of CSV files, for the pages' downloads and for the ZIP that a company takes along."""
